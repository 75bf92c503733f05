import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { captureLog, listen, makeFrontDoorApp } from "../support/front-door-app.ts";
import type { LogLine } from "../support/front-door-app.ts";
import { sendRaw } from "../support/raw-http.ts";

const SECRET = `gr_live_${randomBytes(32).toString("hex")}`;

/** Every place in which a client can put its key, right or wrong. */
const requests: readonly (readonly [place: string, target: string, ...headers: string[]])[] = [
  ["a good place", "/user", `Authorization: Bearer ${SECRET}`],
  ["no scheme", "/user", `Authorization: ${SECRET}`],
  ["another scheme", "/user", `Authorization: Basic ${SECRET}`],
  ["two headers", "/user", `Authorization: Bearer ${SECRET}`, `Authorization: Bearer ${SECRET}`],
  ["another header", "/user", `X-Api-Key: ${SECRET}`],
  ["a cookie", "/user", `Cookie: key=${SECRET}`],
  ["the query", `/user?api_key=${SECRET}`],
  ["the query of a public route", `/public?key=${SECRET}`],
  ["the query of no route", `/nothing?key=${SECRET}`],
  ["the query of a broken URL", `/items/%zz?key=${SECRET}`],
  ["a defect", "/defect", `Authorization: Bearer ${SECRET}`],
  ["a malformed request", "/user", `Authorization: Bearer ${SECRET}`, "bad header"],
  ["too many bytes", "/user", `Authorization: Bearer ${SECRET}`, `x: ${"a".repeat(17_000)}`],
  ["the content type", "/user", `Content-Type: ${SECRET}`, "Content-Length: 1"],
  ["Host", "/user", `Host: ${SECRET}`],
  ["a forwarded address", "/user", `X-Forwarded-For: ${SECRET}`],
];

test("a key sent in any place is in no log line and no answer", async () => {
  const own: LogLine[] = [];
  const ofFastify: string[] = [];
  const stream = { write: (line: string) => void ofFastify.push(line) };
  const app = await makeFrontDoorApp({ log: captureLog(own), trustedProxies: [] }, stream);
  const port = await listen(app);

  for (const [place, target, ...headers] of requests) {
    const text = [`GET ${target} HTTP/1.1`, "Host: router", ...headers, "", "x"].join("\r\n");
    const answer = await sendRaw(port, text);
    expect(answer.body, place).not.toContain(SECRET);
  }
  for (let count = 0; count < 12; count++) {
    await sendRaw(port, `GET /user HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`);
  }
  await app.close();

  const lines = own.map(({ fields, message }) => `${message} ${JSON.stringify(fields)}`);
  expect(lines.join("\n")).toContain("request failed unexpectedly");
  expect(lines.join("\n")).toContain("too many bad keys");
  expect(ofFastify.join("")).toContain("Server listening");
  expect([...lines, ...ofFastify].filter((line) => line.includes(SECRET))).toEqual([]);
});
