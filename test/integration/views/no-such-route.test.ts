import { afterAll, beforeAll, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ workers: [] });
});

afterAll(() => router.close());

const send = (method: string, path: string) =>
  fetch(router.url + path, { method, headers: { authorization: `Bearer ${router.keys.user}` } });

test.each([
  ["GET", "/"],
  ["GET", "/health/"],
  ["GET", "/Health"],
  ["GET", "/api/v1"],
  ["GET", "/api//v1/gpus"],
  ["POST", "/v1/audio/speech"],
  ["DELETE", "/v1/nothing"],
])("%s %s is 404, and names where all routes are", async (method, path) => {
  const says = /^there is no such route: \/docs lists all of them$/;
  await expectTrouble(await send(method, path), { code: "ROUTE_NOT_FOUND", says });
});

test.each([
  ["GET", "/v1/chat/completions", "POST"],
  ["POST", "/v1/models", "GET"],
  ["DELETE", "/api/v1/gpus/GPU-1", "GET"],
  ["PATCH", "/api/v1/requests/job-1", "GET, DELETE"],
  ["OPTIONS", "/v1/chat/completions", "POST"],
  ["OPTIONS", "/health", "GET"],
])("%s %s is 404, and names the methods that the path has", async (method, path, allowed) => {
  const answer = await send(method, path);
  expect(answer.headers.get("allow")).toBe(allowed);
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  const says = new RegExp(`^this path has no ${method}: use ${allowed.replace(", ", " or ")}$`);
  await expectTrouble(answer, { code: "ROUTE_NOT_FOUND", says });
});

test.each([
  ["/health/live", 200],
  ["/v1/models", 200],
  ["/api/v1/requests/unknown", 404],
  ["/api/v1/metrics", 403],
])("HEAD %s is GET without the body: %i", async (path, status) => {
  const answer = await send("HEAD", path);
  expect([answer.status, await answer.text()]).toEqual([status, ""]);
  expect(answer.headers.get("x-request-id")).not.toBeNull();
});

test("HEAD needs a key where GET does", async () => {
  expect((await fetch(`${router.url}/v1/models`, { method: "HEAD" })).status).toBe(401);
});

test("an id longer than any is refused, and not looked for", async () => {
  const answer = await send("GET", `/api/v1/requests/${"a".repeat(300)}`);
  await expectTrouble(answer, {
    code: "INVALID_REQUEST",
    says: /^a part of the path is longer than any id$/,
  });
});
