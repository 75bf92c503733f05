import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { endlessBody } from "../../support/endless-behaviours.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import * as stub from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

/** Answers that come slowly, in odd pieces, without end, or break off; numbers as in the catalogue. */

const PATH = "/v1/chat/completions";
const MIB = 2 ** 20;
/** By design 100 ms; noise must not fail a test. */
const PROMPT_MS = 2_000;

/** What our error event says; fails where the text does not end with one. */
function errorEvent(text: string): unknown {
  const [, data = "null"] = /\n\nevent: error\ndata: (.*)\n\n$/.exec(text) ?? [];
  return (JSON.parse(data) as { error: unknown } | null)?.error;
}

test.each(["close", "reset"] as const)(
  "F17 a worker that dies mid-stream (%s) costs an error event at once, no [DONE], and no second try",
  async (ending) => {
    const { router, stubs, proxies } = await openScene({
      workers: 2,
      behindProxies: true,
      behaviour: stub.hangMidStream(1),
    });
    const live = sendLive(router, { body: STREAMED_CHAT, headers: { "x-request-id": "trace-1" } });
    expect(await live.nextChunk()).toBe(stub.chatChunk(0));
    const brokenAtMs = performance.now();
    for (const proxy of proxies) proxy.breakAll(ending);
    const text = await live.text();
    await expect.poll(() => router.openLeases(), SOON).toBe(0);
    expect(performance.now() - brokenAtMs).toBeLessThan(PROMPT_MS);
    expect(errorEvent(text)).toMatchObject({ code: "WORKER_FAILED", request_id: "trace-1" });
    expect(text).not.toContain("[DONE]");
    expect(sentTo(stubs)).toBe(1);
    expect(await router.attemptClasses()).toEqual({ failure: 1 });
  },
);

test.each([
  ["in its headers", 40, "2"],
  ["in its first event", 300, "1"],
])("F17 a stream that is reset %s is tried again, or ended by an error event", async (...row) => {
  const [, bytes, attempts] = row;
  const { router, proxies } = await openScene({
    behindProxies: true,
    behaviour: stub.stream(1),
    config: { request_router: { retry_delay: 0.001 } },
  });
  proxies[0]!.cutAfter(bytes, "reset");
  const live = sendLive(router, { body: STREAMED_CHAT });
  const text = await live.text();
  expect((await live.head()).headers["x-route-attempts"]).toBe(attempts);
  if (attempts === "2") expect(text).toMatch(/^data: .*\[DONE\]\n\n$/s);
  else expect(errorEvent(text)).toMatchObject({ code: "WORKER_FAILED" });
});

test("F18 a first byte shortly before the deadline is a success, one after it is 504", async () => {
  const { router, stub: worker } = await openScene();
  const { behaviour, release } = stub.held();
  worker.next(behaviour, stub.hangBeforeHeaders);
  const late = router.post(PATH, CHAT, { "x-timeout-ms": "2000" });
  const tooLate = router.post(PATH, CHAT, { "x-timeout-ms": "300" });
  // The second one's deadline has passed while the first one waits on.
  expect((await tooLate).status).toBe(504);
  release();
  expect((await late).status).toBe(200);
  await expect.poll(() => router.attemptClasses(), SOON).toEqual({ success: 1, neutral: 1 });
});

test("F19 a stream that stalls is ended by an error event after its idle time", async () => {
  const config = { request_router: { stream_idle_timeout: 0.1, request_timeout: 3600 } };
  const { router, stub: worker, proxies } = await openScene({ behindProxies: true, config });
  worker.next(stub.hangMidStream(2));
  const live = sendLive(router, { body: STREAMED_CHAT });
  await live.nextChunk();
  proxies[0]!.freeze();
  const text = await live.text();
  expect(errorEvent(text)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect(text).not.toContain("[DONE]");
  await worker.nextAbort();
  proxies[0]!.thaw();
});

test("F20 an endless stream flows through, is not kept, and ends with its client", async () => {
  const endless = endlessBody("text/event-stream", "", `data: ${"x".repeat(64 * 1024)}\n\n`);
  const { router, stub: worker } = await openScene({ behaviour: endless.behaviour });
  const live = sendLive(router, { body: STREAMED_CHAT });
  const incoming = await live.head();
  const before = process.memoryUsage();
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > 256 * MIB) break;
  }
  const after = process.memoryUsage();
  live.abort();
  await worker.nextAbort();
  // Garbage that was not collected yet; a stream that was kept would be 256 MiB.
  const grownBytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  expect(grownBytes).toBeLessThan(128 * MIB);
  expect((await router.requestLines(1))[0]?.fields).toMatchObject({ status: 499 });
});

test("F20 no deadline ends a stream that goes on", async () => {
  const { router, stub: worker } = await openScene();
  worker.next(stub.steppedStream(10), stub.hangBeforeHeaders);
  const headers = { "x-timeout-ms": "500" };
  const live = sendLive(router, { body: STREAMED_CHAT, headers });
  worker.stream.step();
  expect(await live.nextChunk()).toBe(stub.chatChunk(0));
  // Accepted later, due as soon: when it is over, so is the stream's deadline.
  expect((await router.post(PATH, CHAT, headers)).status).toBe(504);
  worker.stream.step();
  expect(await live.nextChunk()).toBe(stub.chatChunk(1));
  live.abort();
  await worker.nextAbort();
});

test("F21 a million chunks of one byte come out as they went in", async () => {
  const million = 1_000_000;
  const bytes = Buffer.alloc(million, 'data: {"delta":"é日🚀"}\r\n\r\n');
  const wire = Buffer.alloc(million * 6);
  for (let at = 0; at < million; at++) wire.write(`1\r\n?\r\n`, at * 6);
  for (let at = 0; at < million; at++) wire[at * 6 + 3] = bytes[at]!;
  const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
  const start = Buffer.from(`${head}transfer-encoding: chunked\r\n\r\n`);
  const answer = Buffer.concat([start, wire, Buffer.from("0\r\n\r\n")]);
  const { router } = await openScene({ behaviour: stub.rawAnswer(answer) });
  const got = await sendLive(router, { body: STREAMED_CHAT }).bytes();
  expect(got).toHaveLength(million);
  expect(sha256(got)).toBe(sha256(bytes));
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test.each([
  ["a stream", STREAMED_CHAT, stub.stream(2)],
  ["JSON", CHAT, stub.json(stub.chatCompletion("é日🚀"))],
])("F21 %s in TCP segments of one byte, headers and all, comes out whole", async (...row) => {
  const [, body, behaviour] = row;
  const { router, proxies } = await openScene({ behindProxies: true, behaviour });
  const whole = await sendLive(router, { body }).text();
  proxies[0]!.hold();
  const text = await proxies[0]!.dripUntil(sendLive(router, { body }).text(), () => setImmediate());
  expect(text).toBe(whole);
  proxies[0]!.thaw();
});
