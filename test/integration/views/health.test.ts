import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApp, KNOWN_NAMES } from "../../../src/app.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";
import { CHAT, sendLive } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyBeforeHeaders, json } from "../../support/stub-behaviours.ts";
import { startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import type { TestRouter } from "../../support/test-router.ts";

/** Status and body, without a key: health is public. */
async function ask({ url }: TestRouter, path = "/health") {
  const answer = await fetch(url + path);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe("GET /health", () => {
  test("of a fleet in order is 200 and healthy", async () => {
    const monitor = await startStubMonitoringService();
    onTestFinished(() => monitor.close());
    const { router } = await openScene({ config: { gpu_monitoring: { url: monitor.url } } });
    expect(await ask(router)).toEqual({
      status: 200,
      body: {
        status: "healthy",
        reasons: [],
        boot_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        uptime_ms: expect.any(Number) as number,
        workers: { up: 1, starting: 0, down: 0, cooling: 0, cordoned: 0 },
        gpus: 1,
        monitors: [{ name: "monitor-1", status: "ok", age_ms: expect.any(Number) as number }],
      },
    });
  });

  test("with a dead monitor is 200 and degraded, and names no address to the public", async () => {
    const monitor = await startStubMonitoringService();
    const urls = [monitor.url, "http://127.0.0.1:1"];
    onTestFinished(() => monitor.close());
    const { router } = await openScene({ config: { gpu_monitoring: { url: null, urls } } });
    const { status, body } = await ask(router);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: "degraded",
      reasons: ["monitor-2 fails: routing on what was known; the log says why"],
      monitors: [{ status: "ok" }, { name: "monitor-2", status: "failing", age_ms: null }],
    });
    expect(JSON.stringify(body)).not.toContain("127.0.0.1");
  });

  test("without workers is 503 and unhealthy", async () => {
    const { router } = await openScene({ workers: 0 });
    expect(await ask(router)).toMatchObject({
      status: 503,
      body: { status: "unhealthy", reasons: ["no workers are configured"] },
    });
  });

  test("with one worker of two down is degraded", async () => {
    const { router, stub, stubs } = await openScene({ workers: 2 });
    const { port } = stub;
    await stub.close();
    while ((await ask(router)).body["status"] === "healthy") {
      await router.post("/v1/chat/completions", CHAT);
    }
    expect(await ask(router)).toMatchObject({
      status: 200,
      body: { status: "degraded", reasons: ["1 worker(s) down"], workers: { up: 1, down: 1 } },
    });
    await stub.listen(port);
    expect(stubs).toHaveLength(2);
  });

  test("with every worker cooling is 503 and unhealthy", async () => {
    const { router } = await openScene({ behaviour: destroyBeforeHeaders });
    const brief = { "x-timeout-ms": "300" };
    for (let count = 0; count < 2; count++) await router.post("/v1/chat/completions", CHAT, brief);
    expect(await ask(router)).toMatchObject({
      status: 503,
      body: { status: "unhealthy", reasons: ["1 worker(s) cooling"], workers: { cooling: 1 } },
    });
  });
});

describe("GET /health/ready", () => {
  test("is 503 until the first round of polls is over, while live is 200 from the start", async () => {
    const config = configSchema({ names: KNOWN_NAMES, env: {} }).parse({
      gpu_monitoring: { url: null },
    });
    const { log } = keepingLog();
    const app = await createApp({
      config,
      clock: new FakeClock(),
      log,
      version: "0",
      demoKey: null,
    });
    const get = async (url: string) => {
      const { statusCode, body } = await app.server.inject(url);
      return `${statusCode} ${body}`;
    };
    expect(await get("/health/ready")).toBe('503 {"ready":false}');
    expect(await get("/health/live")).toBe('200 {"live":true}');
    await app.start();
    expect(await get("/health/ready")).toBe('200 {"ready":true}');
    await app.close();
  });

  test("is 503 while the router stops, while live stays 200", async () => {
    const { promise, resolve: answerNow } = Promise.withResolvers<void>();
    const { router } = await openScene({
      behaviour: async (exchange) => {
        await promise;
        await json()(exchange);
      },
    });
    // New connections are refused from then on, so these must be there before.
    const sockets = await Promise.all([openSocket(router), openSocket(router), openSocket(router)]);
    const underWay = sendLive(router);
    await expect.poll(() => router.openLeases(), { timeout: 10_000 }).toBe(1);
    const closed = router.close();
    const paths = ["/health/ready", "/health/live", "/health"];
    const asked = sockets.map((socket, index) => askOn(socket, paths[index]!));
    const [ready, live, health] = await Promise.all(asked);
    expect(ready).toMatch(/^HTTP\/1\.1 503 [^]*connection: close[^]*\{"ready":false\}$/i);
    expect(live).toMatch(/^HTTP\/1\.1 200 [^]*\{"live":true\}$/);
    expect(health).toMatch(/^HTTP\/1\.1 503 [^]*"the router is stopping"/);
    answerNow();
    expect((await underWay.head()).statusCode).toBe(200);
    expect(await underWay.text()).toContain("hello from the stub");
    await closed;
  });
});

test("a slow reader gets the whole of its answer while the router stops", async () => {
  const text = "x".repeat(16 * 2 ** 20);
  const { router } = await openScene({ behaviour: json({ text }) });
  const slow = sendLive(router);
  expect((await slow.head()).statusCode).toBe(200);
  // The worker is done, and nearly all of its answer is still here.
  expect(await router.openLeases()).toBe(0);
  const closed = router.close();
  await expect(fetch(router.url)).rejects.toThrow();
  expect((await slow.text()).length).toBe(JSON.stringify({ text }).length);
  await closed;
});

async function openSocket({ port }: TestRouter): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** All that comes back until the router closes the connection. */
async function askOn(socket: Socket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: router\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}
