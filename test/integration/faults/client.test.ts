import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { Random } from "../../../src/routing/random.ts";
import { Arrivals } from "../../support/arrivals.ts";
import { cancelJob, overJob, submit } from "../../support/job-api.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import {
  chatChunk,
  hangBeforeHeaders,
  hangMidStream,
  json,
  steppedStream,
  stream,
} from "../../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../../support/stub-behaviours.ts";
import { StreamControl } from "../../support/stream-control.ts";
import { SOON } from "../../support/test-router.ts";
import { requestsLeft, untilWaiting, waitingCount } from "./waiting-requests.ts";

const CHAT_PATH = "/v1/chat/completions";

test("F29 a client that leaves the queue frees its place and its quota, and is never sent on", async () => {
  const held = new Arrivals<Exchange>();
  const users = [{ id: "user", request_limit: 10 }];
  const { router, stub } = await openScene({
    worker: { slots: 1 },
    behaviour: (exchange) => held.add(exchange),
    config: { users },
  });
  const running = router.post(CHAT_PATH, CHAT);
  await held.seen(1);
  const waiting = [CHAT, STREAMED_CHAT].map((body) => sendLive(router, { body }));
  await untilWaiting(router, 2);
  expect(await requestsLeft(router)).toBe(7);
  for (const live of waiting) live.abort();
  await untilWaiting(router, 0);
  expect(await requestsLeft(router)).toBe(9);
  const lines = await router.requestLines(2);
  expect(lines.map(({ fields }) => fields["status"])).toEqual([499, 499]);
  await json()(held.all[0]!);
  expect((await running).status).toBe(200);
  expect(stub.requests).toHaveLength(1);
});

test.each([
  ["JSON", CHAT],
  ["a stream", STREAMED_CHAT],
])(
  "F30 a client that leaves before the first byte of %s frees worker and slot",
  async (_, body) => {
    const { router, stub } = await openScene({
      worker: { slots: 1 },
      behaviour: hangBeforeHeaders,
    });
    const live = sendLive(router, { body });
    await stub.nextRequest();
    live.abort();
    await stub.nextAbort();
    await expect.poll(() => router.openLeases(), SOON).toBe(0);
    stub.always(json());
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
  },
);

test("F31 a client that leaves in the middle of a stream frees worker and slot", async () => {
  const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour: hangMidStream(1) });
  const live = sendLive(router, { body: STREAMED_CHAT });
  expect(await live.nextChunk()).toBe(chatChunk(0));
  live.abort();
  await stub.nextAbort();
  await expect.poll(() => router.openLeases(), SOON).toBe(0);
  stub.always(json());
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
});

test("F32 abort, answer and timeout in whatever order end a request exactly once", async () => {
  const seed = 32;
  const random = new Random(seed);
  const held = new Arrivals<Exchange>();
  const behaviour: Behaviour = (exchange) => held.add(exchange);
  const config = { request_router: { max_retries: 0 } };
  const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour, config });
  const rounds = 90;
  for (let round = 0; round < rounds; round++) {
    const timeoutMs = 15 + Math.floor(random.next() * 10);
    const headers = { "x-timeout-ms": String(timeoutMs) };
    const [body, answer] = random.next() < 0.5 ? [CHAT, json()] : [STREAMED_CHAT, stream(1)];
    const live = sendLive(router, { headers, body });
    const exchange = await held.next();
    const acts: (() => unknown)[] = [
      () => live.abort(),
      () => answer(exchange),
      // Until about when the router's own deadline strikes.
      () => sleep(systemClock, timeoutMs * random.next()),
      () => setImmediate(),
    ];
    for (const act of shuffled(acts, random)) await act();
    // A slot that was lost would let no other in.
    await router.requestLines(round + 1);
  }
  const lines = await router.requestLines(rounds);
  expect(lines, `seed ${seed}`).toHaveLength(rounds);
  expect(new Set(lines.map(({ fields }) => fields["requestId"])).size).toBe(rounds);
  const statuses = new Set(lines.map(({ fields }) => fields["status"]));
  expect([...statuses].filter((status) => ![200, 499, 504].includes(status as number))).toEqual([]);
  expect(sentTo([stub])).toBe(rounds);
});

test("F32 cancel and answer in whatever order end a job exactly once", async () => {
  const seed = 33;
  const random = new Random(seed);
  const held = new Arrivals<Exchange>();
  const behaviour: Behaviour = (exchange) => held.add(exchange);
  const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour });
  const outcomes = new Map([
    [200, "cancelled"],
    [409, "completed"],
  ]);
  for (let round = 0; round < 40; round++) {
    const id = `job-${round}`;
    await submit(router, { request_id: id });
    const exchange = await held.next();
    let cancelled: Promise<Response> | null = null;
    const acts: (() => unknown)[] = [
      () => void (cancelled ??= cancelJob(router, id)),
      () => json()(exchange),
      () => sleep(systemClock, 3 * random.next()),
    ];
    for (const act of shuffled(acts, random)) await act();
    const { status } = await cancelled!;
    expect((await overJob(router, id)).status, `seed ${seed}, ${id}`).toBe(outcomes.get(status));
  }
  expect(sentTo([stub])).toBe(40);
});

test("F38 300 open streams: all are served to their end, and newcomers are answered meanwhile", async () => {
  const count = 300;
  const control = new StreamControl();
  const { router, stub } = await openScene({ worker: { slots: 2 * count } });
  stub.always(steppedStream(2, control));
  const lives = Array.from({ length: count }, () => sendLive(router, { body: STREAMED_CHAT }));
  await stub.seen(count);
  control.step(count);
  await Promise.all(lives.map((live) => live.nextChunk()));
  expect(await router.openLeases()).toBe(count);
  stub.always(json());
  for (let sent = 0; sent < 20; sent++) {
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
  }
  expect(await waitingCount(router)).toBe(0);
  control.step(2 * count);
  for (const live of lives) expect(await live.text()).toMatch(/data: \[DONE\]\n\n$/);
});

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
