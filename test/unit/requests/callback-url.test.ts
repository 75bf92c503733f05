import { expect, test } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import { checkCallbackUrl } from "../../../src/requests/callback-url.ts";

const ALLOWED = new Set(["hooks.lan", "10.0.0.5", "[fd00::1]", "redis"]);

function problemOf(url: string): string {
  try {
    checkCallbackUrl(url, ALLOWED);
    return "none";
  } catch (error) {
    if (!(error instanceof RouterError)) throw error;
    expect(error).toMatchObject({ code: "INVALID_REQUEST", param: "callback_url" });
    return error.message;
  }
}

test.each([
  ["https://example.com/done?job=1", "https://example.com/done?job=1"],
  ["https://example.com", "https://example.com/"],
  ["https://example.com:443/", "https://example.com/"],
  ["https://example.com:8443/", "https://example.com:8443/"],
  ["HTTPS://EXAMPLE.com./", "https://example.com/"],
  ["https://bücher.example.com/", "https://xn--bcher-kva.example.com/"],
  ["https://8.8.8.8/", "https://8.8.8.8/"],
  ["https://[2606:4700::1111]/", "https://[2606:4700::1111]/"],
  ["https://notlocal.example/", "https://notlocal.example/"],
  ["https://example.com/#part", "https://example.com/"],
])("%s is taken as %s", (url, taken) => {
  expect(checkCallbackUrl(url, ALLOWED).href).toBe(taken);
});

test.each([
  "http://hooks.lan:8080/done",
  "http://HOOKS.lan./",
  "https://hooks.lan:9999/",
  "http://10.0.0.5/",
  "http://[fd00::0:1]:81/",
  "http://redis/",
])("%s is taken because its host is allowed", (url) => {
  expect(problemOf(url)).toBe("none");
});

test.each([
  ["http://example.com/", /must begin with https:\/\/, or an operator adds the host to callbacks/],
  ["ftp://hooks.lan/", /must begin with https:/],
  ["file:///etc/passwd", /must begin with https:/],
  ["https://example.com:80/", /must use port 443 or 8443, or an operator adds the host/],
  ["https://example.com:22/", /must use port 443 or 8443/],
  ["https://me@example.com/", /must have no user and password; callbacks are signed/],
  ["https://:pw@example.com/", /must have no user and password/],
  ["https://me:pw@hooks.lan/", /must have no user and password/],
  ["example.com/done", /must be a URL such as https:/],
  ["https://", /must be a URL/],
  ["", /must be a URL/],
  ["https://exam\nple.com/", /must have no spaces, line breaks or backslashes/],
  [" https://example.com/", /must have no spaces/],
  ["https://example.com\\@127.0.0.1/", /must have no spaces, line breaks or backslashes/],
  ["https://example.com/\u0000", /must have no spaces/],
  [`https://example.com/${"a".repeat(2029)}`, /must have at most 2048 characters/],
])("%j is refused: %s", (url, says) => {
  expect(problemOf(url)).toMatch(/^callback_url /);
  expect(problemOf(url)).toMatch(says);
});

test("the longest that is allowed is taken", () => {
  expect(problemOf(`https://example.com/${"a".repeat(2028)}`)).toBe("none");
});

test.each([
  "localhost",
  "localhost.",
  "LOCALHOST",
  "a.localhost",
  "metadata.google.internal",
  "printer.local",
  "db.internal.",
  "api.default.svc",
  "api.default.svc.cluster.local",
  "nas.lan",
  "router.home.arpa",
  "postgres",
  "host.docker.internal",
  ".",
  "a..b",
  "example.com..",
  "10.0.0.6",
  "[fd00::2]",
])("the private host %s is refused with what would allow it", (host) => {
  expect(problemOf(`https://${host}/`)).toMatch(
    /must not lead to the private host .+, or an operator adds the host to callbacks\.allowed_hosts/,
  );
});

test("a secret in the URL is never repeated in the refusal", () => {
  for (const url of ["https://u:canary@example.com/", "http://example.com/canary?canary#canary"]) {
    expect(problemOf(url)).not.toContain("canary");
  }
});
