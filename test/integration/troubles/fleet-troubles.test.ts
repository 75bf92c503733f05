import { describe, expect, onTestFinished, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { json, unauthorized } from "../../support/stub-behaviours.ts";
import { startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { listenOnLoopback } from "../../support/stub-server.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { TestRouter } from "../../support/test-router.ts";
import { deadUrl, openRouter } from "./troubles-setup.ts";

const CHAT = "/v1/chat/completions";
const chat = { model: "stub-model", messages: [{ role: "user", content: "Hello" }] };
/** For tests of what changes later. A start waits one interval for the first answers, not longer. */
const HASTE = { gpu_monitoring: { update_interval: 0.05, health_check_interval: 0.05 } };
const SOON = { timeout: 10_000, interval: 5 };

/** Resolves once /health says so. */
async function untilHealth(router: TestRouter, state: object): Promise<void> {
  await expect.poll(() => health(router), SOON).toMatchObject(state);
}

/** Where no worker is usable, a chat waits until its deadline. */
function briefChat(router: TestRouter): Promise<Response> {
  return router.post(CHAT, chat, { "x-timeout-ms": "150" });
}

/** Resolves once a chat gets this status. */
async function untilChat(router: TestRouter, status: number): Promise<void> {
  await expect.poll(async () => (await briefChat(router)).status, SOON).toBe(status);
}

async function health(router: TestRouter): Promise<Record<string, unknown>> {
  return (await router.get("/health")).json() as Promise<Record<string, unknown>>;
}

describe("trouble in the fleet", () => {
  test("a monitor that was never there: degraded, and requests work all the same", async () => {
    const stub = await startStubWorker();
    onTestFinished(() => stub.close());
    const url = await deadUrl();
    const config = { gpu_monitoring: { url } };
    const router = await openRouter({ workers: [stub], config });
    expect(await health(router)).toMatchObject({
      status: "degraded",
      reasons: [
        expect.stringMatching(/^monitor.* fails: routing on what was known; the log says why$/),
      ],
      monitors: [{ status: "failing", age_ms: null }],
    });
    expect((await router.get("/health")).status).toBe(200);
    expect((await router.post(CHAT, chat)).status).toBe(200);
    const told = router.logs.filter(({ message }) => message === "gpu source failing");
    expect(told.map(({ fields }) => fields["reason"])).toEqual([
      expect.stringMatching(/connection refused .* correct gpu_monitoring\.url \(null = /),
    ]);
  });

  test("a monitor that dies and comes back: its GPUs stay known meanwhile", async () => {
    const [stub, monitor] = await Promise.all([startStubWorker(), startStubMonitoringService()]);
    onTestFinished(async () => {
      await Promise.all([stub.close(), monitor.close()]);
    });
    const gpu_monitoring = { ...HASTE.gpu_monitoring, url: monitor.url };
    const config = { gpu_monitoring, error_handler: { retry_delay: 0.01 } };
    const router = await openRouter({ workers: [stub], config });
    await untilHealth(router, { status: "healthy", gpus: 1 });
    const { port } = monitor;
    await monitor.close();
    await untilHealth(router, { status: "degraded", gpus: 1 });
    expect((await router.post(CHAT, chat)).status).toBe(200);
    await monitor.listen(port);
    await untilHealth(router, { status: "healthy" });
  });

  test("no worker at all: 503 that says where to list them", async () => {
    const router = await openRouter({ workers: [] });
    const says = /^no workers are known: list them under workers: in the config$/;
    await expectTrouble(await router.post(CHAT, chat), { code: "NO_GPU_AVAILABLE", says });
  });

  test("the only worker was never there: 503 that names it, when to come back, what to do", async () => {
    const router = await openRouter({ workers: [{ url: await deadUrl() }] });
    const response = await briefChat(router);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    const says = /worker-1: starting, .*connection refused .*start the worker, or correct its url/;
    await expectTrouble(response, { code: "NO_GPU_AVAILABLE", says });
    expect(await health(router)).toMatchObject({ reasons: ["1 worker(s) starting"] });
  });

  test("the only worker died: 503 that names it, until it is back", async () => {
    const stub = await startStubWorker();
    const router = await openRouter({ workers: [stub], config: HASTE });
    await untilHealth(router, { status: "healthy" });
    const { port } = stub;
    await stub.close();
    await untilHealth(router, { workers: { down: 1 } });
    const says = /worker-1: down: .*connection refused .*start the worker, or correct its url/;
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
    await stub.listen(port);
    onTestFinished(() => stub.close());
    await untilChat(router, 200);
  });

  test("one worker of two is dead: nobody notices", async () => {
    const stub = await startStubWorker();
    onTestFinished(() => stub.close());
    const dead = { url: await deadUrl(), models: ["stub-model"] };
    const router = await openRouter({ workers: [dead, stub] });
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await router.post(CHAT, chat)).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test("a worker that boots: 503 that says so, then it serves without a restart", async () => {
    const stub = await startStubWorker();
    onTestFinished(() => stub.close());
    stub.models = "starting";
    const router = await openRouter({ workers: [stub], config: HASTE });
    // The start does not wait for it longer than one interval, so it may not have answered yet.
    await expect.poll(() => stub.probes.length, SOON).toBeGreaterThan(1);
    const says = /worker-1: starting, .*The stub is loading its model\./;
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
    stub.models = ["stub-model"];
    await untilChat(router, 200);
  });
});

describe("a worker that wants a key", () => {
  async function lockedWorker(key: string): Promise<string> {
    const worker = await listenOnLoopback(0, (request, response) => {
      const opened = request.headers.authorization === `Bearer ${key}`;
      const body = request.method === "GET" ? { data: [{ id: "stub-model" }] } : { choices: [] };
      response.writeHead(opened ? 200 : 401, { "content-type": "application/json" });
      request.resume().once("end", () => response.end(JSON.stringify(opened ? body : {})));
    });
    onTestFinished(() => worker.close());
    return worker.url;
  }

  const env = { RIGHT_KEY: "open-sesame", WRONG_KEY: "let-me-in" };

  test.each([
    ["none", {}],
    ["a wrong one", { api_key_env: "WRONG_KEY" }],
  ])("and is sent %s: it stays starting, and both log and 503 say what to set", async (_, key) => {
    const worker = { url: await lockedWorker(env.RIGHT_KEY), ...key };
    const router = await openRouter({ workers: [worker], env });
    const says = /worker-1: starting, .*worker refused our key .*: set api_key_env/;
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
    const problems = router.logs.map(({ fields }) => fields["problem"]);
    expect(problems).toContainEqual(expect.stringMatching(/worker refused our key .*api_key_env/));
    expect(await health(router)).toMatchObject({ workers: { starting: 1 } });
    expect(JSON.stringify(router.logs)).not.toContain(env.WRONG_KEY);
  });

  test("and is sent the right one: it works", async () => {
    const worker = { url: await lockedWorker(env.RIGHT_KEY), api_key_env: "RIGHT_KEY" };
    const router = await openRouter({ workers: [worker], env });
    expect((await router.post(CHAT, chat)).status).toBe(200);
  });

  test("but only for chats: 502 that names the setting, once no other worker can help", async () => {
    const [shy, open] = await Promise.all([
      startStubWorker({ behaviour: unauthorized }),
      startStubWorker({ behaviour: json() }),
    ]);
    onTestFinished(async () => {
      await Promise.all([shy.close(), open.close()]);
    });
    const both = await openRouter({ workers: [shy, open] });
    for (let count = 0; count < 5; count++) {
      expect((await both.post(CHAT, chat)).status).toBe(200);
    }
    const alone = await openRouter({ workers: [shy] });
    const says = /worker-1: worker refused our key \(401\): check its api_key_env/;
    await expectTrouble(await alone.post(CHAT, chat), { code: "WORKER_FAILED", says });
  });

  test("but only for chats, however fast it says no: it gets five of them, then no more", async () => {
    const [shy, open] = await Promise.all([
      startStubWorker({ behaviour: unauthorized }),
      startStubWorker(),
    ]);
    onTestFinished(async () => {
      await Promise.all([shy.close(), open.close()]);
    });
    const router = await openRouter({ workers: [shy, open] });
    for (let sent = 0; sent < 60; sent++) expect((await router.post(CHAT, chat)).status).toBe(200);
    expect(shy.requests).toHaveLength(5);
    expect(open.requests).toHaveLength(60);
  });
});
