import { hash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApp, KNOWN_NAMES } from "../../../src/app.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";
import { CHAT, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { held, stream } from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { SOON } from "../../support/test-router.ts";
import { untilWaiting } from "./waiting-requests.ts";

const MIB = 2 ** 20;

/** A connection on which a whole chat was sent, and what comes back on it. */
class RawChat {
  readonly socket: Socket;
  received = "";

  constructor(port: number, { key, body = CHAT, version = "1.1" }: RawChatOptions) {
    const text = JSON.stringify(body);
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.on("error", () => {});
    const head = [
      `POST /v1/chat/completions HTTP/${version}`,
      ...["Host: router", `Authorization: Bearer ${key}`, "Content-Type: application/json"],
      `Content-Length: ${text.length}`,
    ];
    this.socket.write(`${head.join("\r\n")}\r\n\r\n${text}`);
  }

  /** Says that nothing more will be sent, and reads to the end. */
  async finishAndRead(): Promise<string> {
    this.socket.on("data", (bytes) => (this.received += bytes.toString()));
    this.socket.end();
    await once(this.socket, "end");
    this.socket.destroy();
    return this.received;
  }
}

interface RawChatOptions {
  readonly key: string;
  readonly body?: object;
  readonly version?: string;
}

/** Answers that waiting clients read past, and the one that counts. */
const INTERIM = /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)+HTTP\/1\.1 200 OK\r\n/;

describe("F34 a client that has finished sending and still reads", () => {
  test("F34 is served, whether it runs or waits for a slot at that moment", async () => {
    const { behaviour, release } = held();
    const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour });
    const options = { key: router.keys.user };
    const first = new RawChat(router.port, options).finishAndRead();
    await stub.nextRequest();
    const second = new RawChat(router.port, options).finishAndRead();
    await untilWaiting(router, 1);
    release();
    for (const answer of await Promise.all([first, second])) {
      expect(answer).toMatch(INTERIM);
      expect(answer).toContain("hello from the stub");
    }
    expect(stub.aborted).toBe(0);
  });

  test("F34 gets its stream to the end", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const whenLet = stream(3);
    const behaviour: Behaviour = async (exchange) => {
      await promise;
      await whenLet(exchange);
    };
    const { router, stub } = await openScene({ behaviour });
    const options = { key: router.keys.user, body: STREAMED_CHAT };
    const answer = new RawChat(router.port, options).finishAndRead();
    await stub.nextRequest();
    resolve();
    expect(await answer).toMatch(INTERIM);
    expect(await answer).toMatch(/data: \[DONE\]/);
  });

  test("F34 and that goes away later frees the worker", async () => {
    const { behaviour, release } = held();
    const { router, stub } = await openScene({ behaviour });
    const { socket } = new RawChat(router.port, { key: router.keys.user });
    await stub.nextRequest();
    socket.end();
    const [interim] = (await once(socket, "data")) as [Buffer];
    expect(interim.toString()).toContain("100 Continue");
    socket.destroy();
    await stub.nextAbort();
    expect((await router.requestLines(1))[0]?.fields).toMatchObject({ status: 499 });
    release();
  });

  test("F34 over HTTP/1.0, which knows no interim answers, is taken for gone", async () => {
    const { behaviour, release } = held();
    const { router, stub } = await openScene({ behaviour });
    const chat = new RawChat(router.port, { key: router.keys.user, version: "1.0" });
    await stub.nextRequest();
    expect(await chat.finishAndRead()).toBe("");
    await stub.nextAbort();
    release();
  });
});

test("F33 a client that never reads holds up the worker, fills no memory, and is cut after a minute", async () => {
  let written = 0;
  const firehose: Behaviour = async ({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const closed = once(response, "close");
    const chunk = `data: ${"x".repeat(50_000)}\n\n`;
    while (!response.closed && written < 200 * MIB) {
      written += chunk.length;
      if (!response.write(chunk)) await Promise.race([once(response, "drain"), closed]);
    }
  };
  const stub = await startStubWorker({ behaviour: firehose });
  const clock = new FakeClock();
  const { log, lines } = keepingLog();
  const config = configSchema({ names: KNOWN_NAMES, env: {} }).parse({
    api: { host: "127.0.0.1", port: 0, drain_timeout: 1 },
    gpu_monitoring: { url: null },
    // Shorter than what the client is given: the worker is not to blame.
    request_router: { stream_idle_timeout: 10 },
    workers: [{ id: "worker-1", url: stub.url, gpus: [], models: ["stub-model"] }],
    auth: { keys: [{ id: "k", user: "user", role: "user", sha256: hash("sha256", "key", "hex") }] },
  });
  const app = await createApp({ config, clock, log, version: "0", demoKey: null });
  onTestFinished(async () => {
    let isClosed = false;
    void app.close().then(() => (isClosed = true));
    const close = () => clock.advanceAsync(1000).then(() => isClosed);
    await expect.poll(close, SOON).toBe(true);
    await stub.close();
  });
  const url = await app.listen();
  await app.start();
  const { socket } = new RawChat(Number(new URL(url).port), { key: "key", body: STREAMED_CHAT });
  onTestFinished(() => void socket.destroy());
  await stub.nextRequest();
  let before = -1;
  const hasStalled = () => {
    const still = written === before && written > 0;
    before = written;
    return still;
  };
  await expect.poll(hasStalled, { timeout: 20_000, interval: 300 }).toBe(true);
  // Of two connections, in the kernel and in both processes' buffers, and room to spare.
  expect(written).toBeLessThan(24 * MIB);
  await clock.advanceAsync(55_000);
  expect(stub.aborted).toBe(0);
  await clock.advanceAsync(15_000);
  await stub.nextAbort();
  const ended = () => lines.filter(({ message }) => message === "request");
  await expect.poll(ended, SOON).toMatchObject([{ fields: { status: 499 } }]);
  expect(lines.filter(({ message }) => message === "attempt failed")).toEqual([]);
  const connections = (): Promise<number> =>
    new Promise((resolve) => app.server.server.getConnections((_, count) => resolve(count)));
  // It had the time of another minute to read why its stream ended.
  expect(await connections()).toBe(1);
  expect(stub.openRequests).toBe(0);
  await clock.advanceAsync(70_000);
  await expect.poll(connections, SOON).toBe(0);
});
