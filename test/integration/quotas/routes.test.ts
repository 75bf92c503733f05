import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as } from "../../support/job-api.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { held } from "../../support/stub-behaviours.ts";
import { SOON, type TestRouter } from "../../support/test-router.ts";

const PATH = "/api/v1/quotas";
const PLAIN = {
  default_gpu_limit: 2,
  default_request_limit: 100,
  default_priority_limit: 3,
  quota_check_interval: 60,
};
const config = { user_quota_manager: PLAIN };

async function quotaOf(router: TestRouter, user: string): Promise<unknown> {
  const answer = await router.get(`${PATH}/${user}`, as(router.keys.admin));
  expect(answer.status).toBe(200);
  return answer.json();
}

/** PUTs the body, or DELETEs where there is none. */
function change(router: TestRouter, key: string, [user, body]: readonly [string, unknown?]) {
  const init =
    body === undefined
      ? { method: "DELETE", headers: as(key) }
      : {
          method: "PUT",
          headers: { ...as(key), "content-type": "application/json" },
          body: JSON.stringify(body),
        };
  return fetch(`${router.url}${PATH}/${user}`, init);
}

function override(router: TestRouter, user: string, body: unknown) {
  return change(router, router.keys.admin, [user, body]);
}

function clear(router: TestRouter, user: string) {
  return change(router, router.keys.admin, [user]);
}

describe("GET /api/v1/quotas", () => {
  test("shows one's own limits, where they come from, and what is used of them", async () => {
    const entry = { id: "user", gpu_limit: 4, token_limit: 1000 };
    const { router } = await openScene({ config: { ...config, users: [entry] } });
    await (await router.post("/v1/chat/completions", CHAT)).text();
    const answer = await router.get(PATH);
    expect(answer.status).toBe(200);
    const resetMs = expect.any(Number) as number;
    expect(await answer.json()).toEqual({
      user_id: "user",
      window_ms: 60_000,
      requests: { limit: 100, source: "default", used: 1, remaining: 99, reset_ms: resetMs },
      tokens: {
        limit: 1000,
        source: "config",
        used: 9,
        held: 0,
        remaining: 991,
        reset_ms: resetMs,
      },
      gpus: { limit: 4, source: "config", held: 0, remaining: 4 },
      priority: { limit: 3, source: "default" },
      expiration_time: null,
      lasts: null,
    });
  });

  test("counts the GPUs that one's running requests occupy", async () => {
    const { behaviour, release } = held();
    const { router } = await openScene({ config, behaviour });
    const running = router.post("/v1/chat/completions", CHAT);
    await expect
      .poll(() => quotaOf(router, "user"), SOON)
      .toMatchObject({ gpus: { held: 1, remaining: 1 } });
    release();
    await (await running).text();
    await expect.poll(() => quotaOf(router, "user"), SOON).toMatchObject({ gpus: { held: 0 } });
  });
});

describe("GET /api/v1/quotas/{user_id}", () => {
  test("shows everyone their own, and those of others to services, operators and admins", async () => {
    const { router } = await openScene({ config });
    const own = await router.get(`${PATH}/user`);
    expect(await own.json()).toMatchObject({ user_id: "user", tokens: null });
    for (const role of ["service", "operator", "admin"] as const) {
      const answer = await router.get(`${PATH}/someone`, as(router.keys[role]));
      expect(await answer.json()).toMatchObject({ user_id: "someone", requests: { used: 0 } });
    }
    const foreign = await router.get(`${PATH}/someone`);
    await expectTrouble(foreign, {
      code: "USER_MISMATCH",
      param: "user_id",
      says: /belongs to user/,
    });
  });

  test("refuses what no user can be called", async () => {
    const { router } = await openScene({ config });
    const answer = await router.get(`${PATH}/two%20words`, as(router.keys.admin));
    await expectTrouble(answer, {
      code: "INVALID_REQUEST",
      param: "user_id",
      says: /^user_id must be/,
    });
  });
});

describe("PUT and DELETE /api/v1/quotas/{user_id}", () => {
  test("override a user's limits until the restart, and say so, and give them up again", async () => {
    const { router } = await openScene({
      config: { ...config, users: [{ id: "user", gpu_limit: 4 }] },
    });
    const put = await override(router, "user", { request_limit: 7, token_limit: 5000 });
    expect(put.status).toBe(200);
    const inForce = {
      requests: { limit: 7, source: "override" },
      tokens: { limit: 5000, source: "override" },
      gpus: { limit: 4, source: "config" },
      priority: { limit: 3, source: "default" },
      lasts: expect.stringMatching(/^until the router restarts/) as string,
    };
    expect(await put.json()).toMatchObject(inForce);
    expect(await quotaOf(router, "user")).toMatchObject(inForce);

    for (const turn of ["first", "again"]) {
      const cleared = await clear(router, "user");
      expect(cleared.status, turn).toBe(200);
      expect(await cleared.json()).toMatchObject({
        requests: { limit: 100, source: "default" },
        tokens: null,
        lasts: null,
      });
    }
  });

  test("apply to the very next request", async () => {
    const { router } = await openScene({ config });
    await override(router, "user", { request_limit: 0 });
    const refused = await router.post("/v1/chat/completions", CHAT);
    expect(refused.headers.get("retry-after")).toBeNull();
    await expectTrouble(refused, {
      code: "QUOTA_EXCEEDED",
      param: "request_limit",
      says: /PUT \/api\/v1\/quotas\/user/,
    });
    await clear(router, "user");
    const passed = await router.post("/v1/chat/completions", CHAT);
    expect(passed.status).toBe(200);
    await passed.text();
  });

  test("take an expiration time, which is shown", async () => {
    const { router } = await openScene({ config });
    const body = { gpu_limit: 9, expiration_time: "2100-01-31T18:00:00+02:00" };
    const answer = await override(router, "user", body);
    expect(await answer.json()).toMatchObject({ expiration_time: "2100-01-31T16:00:00.000Z" });
  });

  test.each([
    [{}, null, /^name a limit/],
    [{ expiration_time: "2100-01-01T00:00:00Z" }, null, /^name a limit/],
    [{ gpu_limits: 3 }, "gpu_limits", /gpu_limits/],
    [{ gpu_limit: null }, "gpu_limit", /^gpu_limit/],
    [{ gpu_limit: -1 }, "gpu_limit", /^gpu_limit/],
    [{ request_limit: 1.5 }, "request_limit", /^request_limit/],
    [{ priority_limit: 6 }, "priority_limit", /^priority_limit/],
    [{ token_limit: 0 }, "token_limit", /^token_limit/],
    [{ gpu_limit: 3, expiration_time: "tomorrow" }, "expiration_time", /such as 2027-01-31T/],
    [{ gpu_limit: 3, expiration_time: "2020-01-01T00:00:00Z" }, "expiration_time", /is over/],
  ])("refuse %j", async (body, param, says) => {
    const { router } = await openScene({ config });
    const answer = await override(router, "user", body);
    await expectTrouble(answer, {
      code: "INVALID_REQUEST",
      says,
      ...(param !== null && { param }),
    });
    expect(await quotaOf(router, "user")).toMatchObject({ lasts: null });
  });

  test.each(["user", "service", "operator"] as const)("are not for the role %s", async (role) => {
    const { router } = await openScene({ config });
    const key = router.keys[role];
    const answers = [
      await change(router, key, [role, { request_limit: 1000 }]),
      await change(router, key, [role]),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
  });
});
