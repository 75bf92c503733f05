import { describe, expect, test } from "vitest";
import { findFault } from "../../../src/http/guard.ts";
import type { RequestHead } from "../../../src/http/guard.ts";

/** As Node would hand it over, had its parser let the request through. */
function head(url: string, headers: Readonly<Record<string, string>>, httpVersion = "1.1") {
  const all = { host: "router", ...headers };
  const made: RequestHead = {
    url,
    httpVersion,
    headers: all,
    rawHeaders: Object.entries(all).flat(),
  };
  return made;
}

// Node's parser refuses these before the guard sees them. The guard does not rely on it.
describe("what the parser refuses today, the guard refuses too", () => {
  test.each([
    ["both lengths", head("/", { "content-length": "2", "transfer-encoding": "chunked" })],
    ["a repeated coding", head("/", { "transfer-encoding": "chunked, chunked" })],
    ["a raw control character", head("/a\u0001", {})],
    ["a broken percent-encoding", head("/a%zz", {})],
    ["a relative target", head("public", {})],
    [
      "two lengths",
      { ...head("/", {}), rawHeaders: ["Content-Length", "2", "CONTENT-LENGTH", "2"] },
    ],
  ])("%s", (_name, request) => {
    expect(findFault(request)?.code).toBe("INVALID_REQUEST");
  });
});

test("an ordinary request has no fault", () => {
  const headers = {
    "content-length": "2",
    "content-type": "application/json",
    expect: "100-Continue",
    accept: "*/*",
  };
  expect(findFault(head("/v1/models/a%2Fb?x=%2e%2e", headers))).toBeNull();
});

test("chunks without a JSON type are a body of the wrong type", () => {
  const chunked = { "transfer-encoding": "chunked" };
  expect(findFault(head("/", chunked))?.code).toBe("UNSUPPORTED_MEDIA_TYPE");
  const typed = { ...chunked, "content-type": "application/json" };
  expect(findFault(head("/", typed))).toBeNull();
});

test("the header at fault is named", () => {
  expect(findFault(head("/", { host: "a b" }))?.param).toBe("host");
  expect(findFault(head("/", { expect: "tea" }))?.param).toBe("expect");
});
