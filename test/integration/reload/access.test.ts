import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, PAYLOAD, submit } from "../../support/job-api.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { chatChunk, held, steppedStream } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import { CHAT_PATH, queued, Reloader } from "./reload-setup.ts";

describe("keys", () => {
  test("a key that is removed opens nothing any more, while what it started is finished", async () => {
    const { router, stub } = await openScene();
    const edit = new Reloader(router);
    stub.next(steppedStream(2));
    const live = sendLive(router, { body: STREAMED_CHAT });
    stub.stream.step();
    expect(await live.nextChunk()).toBe(chatChunk(0));
    const { keys } = edit.config.auth;
    edit.apply({ auth: { keys: keys.filter(({ user }) => user !== "user") } });
    const refused = await router.post(CHAT_PATH, CHAT);
    expect(refused.status).toBe(401);
    await expectTrouble(refused, { code: "UNAUTHORIZED", says: /unknown or revoked API key/ });
    stub.stream.step();
    stub.stream.step();
    expect(await live.text()).toMatch(/token1.*data: \[DONE\]\n\n$/s);
  });

  test("a key that is added, or gets another role, counts at once", async () => {
    const { router } = await openScene();
    const edit = new Reloader(router);
    const maintain = () => router.get("/api/v1/metrics", as(router.keys.service));
    expect((await maintain()).status).toBe(403);
    const keys = edit.config.auth.keys.map((key) =>
      key.user === "service" ? { ...key, role: "operator" as const } : key,
    );
    edit.apply({ auth: { keys } });
    expect((await maintain()).status).toBe(200);
  });

  test("without any key left, the answer says which command makes one", async () => {
    const { router, stub } = await openScene();
    const edit = new Reloader(router);
    const { keys } = edit.config.auth;
    edit.apply({ auth: { keys: [] } });
    const says = /no API keys configured/;
    await expectTrouble(await router.post(CHAT_PATH, CHAT), { code: "UNAUTHORIZED", says });
    edit.apply({ auth: { keys } });
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
    expect(stub.requests).toHaveLength(1);
  });
});

test("networks and proxies count from the next request on, on connections that stand too", async () => {
  const { router } = await openScene();
  const edit = new Reloader(router);
  const from = (address: string) => router.get("/v1/models", { "x-forwarded-for": address });
  edit.apply({ network: { allowed_cidrs: ["10.0.0.0/8"] } });
  // Nobody is trusted: this is a request from loopback.
  expect((await from("203.0.113.9")).status).toBe(200);
  edit.apply({ network: { trusted_proxies: ["127.0.0.1/32"] } });
  await expectTrouble(await from("203.0.113.9"), { code: "NETWORK_DENIED", says: /./ });
  expect((await from("10.1.2.3")).status).toBe(200);
  edit.apply({ network: { allowed_cidrs: [] } });
  expect((await from("203.0.113.9")).status).toBe(200);
});

describe("limits", () => {
  const limitOf = async (answer: Response) => {
    await answer.text();
    return answer.headers.get("x-ratelimit-limit-requests");
  };

  test("of a user and of all others count at once; what was taken stays counted", async () => {
    const users = [{ id: "user", request_limit: 5 }];
    const { router } = await openScene({ config: { users } });
    const edit = new Reloader(router);
    const send = (key: string) => router.post(CHAT_PATH, CHAT, as(key));
    expect(await limitOf(await send(router.keys.user))).toBe("5");
    edit.apply({ users: [{ ...edit.config.users[0]!, request_limit: 1 }] });
    await expectTrouble(await send(router.keys.user), {
      code: "QUOTA_EXCEEDED",
      param: "request_limit",
      says: /1 of request_limit 1/,
    });
    edit.apply({ users: [], user_quota_manager: { default_request_limit: 7 } });
    expect(await limitOf(await send(router.keys.user))).toBe("7");
    expect(await limitOf(await send(router.keys.admin))).toBe("7");
  });

  test("an override set by API wins until it is deleted; then the new config counts", async () => {
    const { router } = await openScene({ config: { users: [{ id: "user", request_limit: 5 }] } });
    const edit = new Reloader(router);
    const override = (method: string, body?: string) => {
      const headers = { ...as(router.keys.admin), "content-type": "application/json" };
      const init = { method, headers, ...(body !== undefined && { body }) };
      return fetch(`${router.url}/api/v1/quotas/user`, init);
    };
    expect((await override("PUT", '{"request_limit": 50}')).status).toBe(200);
    edit.apply({ users: [{ ...edit.config.users[0]!, request_limit: 9, gpu_limit: 6 }] });
    const quota = async () => {
      const answer = await router.get("/api/v1/quotas/user");
      return (await answer.json()) as object;
    };
    const overridden = { limit: 50, source: "override" };
    expect(await quota()).toMatchObject({ requests: overridden, gpus: { limit: 6 } });
    expect((await override("DELETE")).status).toBe(200);
    const configured = { limit: 9, source: "config" };
    expect(await quota()).toMatchObject({ requests: configured, gpus: { limit: 6 } });
  });

  test("a gpu_limit that is raised lets go on who waited because of it", async () => {
    const busy = held();
    const config = { users: [{ id: "user", gpu_limit: 1 }] };
    const options = { workers: 2, worker: { slots: 1 }, behaviour: busy.behaviour, config };
    const { router, stubs } = await openScene(options);
    const edit = new Reloader(router);
    const answers = [router.post(CHAT_PATH, CHAT), router.post(CHAT_PATH, CHAT)];
    await expect.poll(() => queued(router), SOON).toBe(1);
    edit.apply({ users: [{ ...edit.config.users[0]!, gpu_limit: 2 }] });
    await Promise.all(stubs.map((stub) => stub.seen(1)));
    busy.release();
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
  });
});

test("a callback's secret and host count at once", async () => {
  const { router } = await openScene();
  const edit = new Reloader(router);
  const ask = () =>
    submit(
      router,
      { payload: PAYLOAD, callback_url: "http://hooks.lan/over" },
      { prefer: "wait=9" },
    );
  const refused = { code: "INVALID_REQUEST", param: "callback_url" } as const;
  await expectTrouble(await ask(), { ...refused, says: /signing secret/ });
  const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  edit.apply({ callbacks: { secrets: { user: secret } } });
  await expectTrouble(await ask(), { ...refused, says: /https/ });
  edit.apply({ callbacks: { allowed_hosts: ["hooks.lan"] } });
  expect((await ask()).status).toBe(200);
});
