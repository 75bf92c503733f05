import { describe, expect, test } from "vitest";
import { SCENE_KEYS } from "../scene.ts";
import { expectRefusal, get, hello, isTestScene, post, url } from "./call.ts";

test("it lives, is ready, and can serve somebody", async () => {
  expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ live: true });
  expect(await (await fetch(`${url}/health/ready`)).json()).toEqual({ ready: true });
  const health = await fetch(`${url}/health`);
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({
    status: expect.stringMatching(/^(healthy|degraded)$/),
    boot_id: expect.stringMatching(/./),
  });
});

test("/docs is a page, and its document has the routes", async () => {
  const page = await fetch(`${url}/docs`);
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  const document = (await (await fetch(`${url}/docs/json`)).json()) as { readonly paths: object };
  const paths = Object.keys(document.paths);
  expect(paths).toEqual(expect.arrayContaining(["/api/v1/route", "/v1/chat/completions"]));
});

test("without a key there is nothing, and with a wrong one neither", async () => {
  await expectRefusal(await fetch(`${url}/v1/models`), 401, "UNAUTHORIZED");
  const wrong = { authorization: "Bearer no-key-of-this-router" };
  await expectRefusal(await get("/api/v1/gpus", wrong), 401, "UNAUTHORIZED");
  await expectRefusal(await post("/v1/chat/completions", hello, wrong), 401, "UNAUTHORIZED");
});

test("mistakes are told with the code that says which", async () => {
  await expectRefusal(await get("/v1/no-such-route"), 404, "ROUTE_NOT_FOUND");
  await expectRefusal(await get("/api/v1/requests/no-such-job"), 404, "REQUEST_NOT_FOUND");
  await expectRefusal(await post("/api/v1/route", { payload: {} }), 400, "INVALID_REQUEST");
  const nobodys = { ...hello, model: "no-such-model-anywhere" };
  // While a worker starts, which may yet bring it, the router waits.
  const answer = await post("/v1/chat/completions", nobodys, { "x-timeout-ms": "2000" });
  expect([404, 503]).toContain(answer.status);
});

describe.runIf(isTestScene)("a user with little", () => {
  const visitor = { authorization: `Bearer ${SCENE_KEYS.visitor}` };

  test("may neither change quotas nor use a priority above the limit", async () => {
    const body = { request_limit: 1_000_000 };
    const answer = await fetch(`${url}/api/v1/quotas/visitor`, {
      method: "PUT",
      headers: { ...visitor, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await expectRefusal(answer, 403, "FORBIDDEN");
    const urgent = await post("/v1/chat/completions", hello, { ...visitor, "x-priority": "5" });
    await expectRefusal(urgent, 403, "PRIORITY_LIMIT_EXCEEDED");
  });

  test("gets at most as many answers as the limit allows, then hears when to come back", async () => {
    const answers: Response[] = [];
    while (answers.at(-1)?.status !== 429 && answers.length < 10) {
      answers.push(await post("/v1/chat/completions", hello, visitor));
    }
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(3);
    const refused = answers.at(-1)!;
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectRefusal(refused, 429, "QUOTA_EXCEEDED");
  });
});
