import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Arrivals } from "../../support/arrivals.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import { json } from "../../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { assertQuiet, SOON, startTestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";

test("without a queue, full slots are 503 QUEUE_FULL at once, and room is used at once", async () => {
  const held = new Arrivals<Exchange>();
  const behaviour: Behaviour = (exchange) => held.add(exchange);
  const config = { queue: { max_requests: 0 } };
  const { router, stubs } = await openScene({
    workers: 2,
    worker: { slots: 1 },
    behaviour,
    config,
  });
  const running = [router.post(PATH, CHAT), router.post(PATH, CHAT)];
  await held.seen(2);
  const refused = await router.post(PATH, CHAT);
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({
    error: { code: "QUEUE_FULL", message: expect.stringContaining("all slots are taken (1 of 1)") },
  });
  expect(sentTo(stubs)).toBe(2);
  for (const exchange of held.all) await json()(exchange);
  for (const answer of await Promise.all(running)) expect(answer.status).toBe(200);
  const next = router.post(PATH, CHAT);
  await held.seen(3);
  await json()(held.all[2]!);
  expect((await next).status).toBe(200);
});

/** Answers nothing until all its slots are taken; from then on, each after a few turns of the loop. */
class Counted {
  open = 0;
  most = 0;
  readonly #full = Promise.withResolvers<void>();
  readonly #slots: number;

  constructor(slots: number) {
    this.#slots = slots;
  }

  readonly behaviour: Behaviour = async (exchange) => {
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    if (this.open === this.#slots) this.#full.resolve();
    await this.#full.promise;
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    this.open -= 1;
    await json()(exchange);
  };
}

test("with a queue, a request waits for a slot, is sent once, and says how long it waited", async () => {
  const held = new Arrivals<Exchange>();
  const behaviour: Behaviour = (exchange) => held.add(exchange);
  const { router, stubs } = await openScene({ worker: { slots: 1 }, behaviour });
  const first = router.post(PATH, CHAT);
  await held.seen(1);
  const second = router.post(PATH, CHAT);
  const waiting = async (): Promise<number> => {
    const metrics = await router.get("/api/v1/metrics", { accept: "application/json" });
    return ((await metrics.json()) as { queued_requests: number }).queued_requests;
  };
  await expect.poll(waiting, SOON).toBe(1);
  expect(sentTo(stubs)).toBe(1);
  await json()(held.all[0]!);
  await held.seen(2);
  await json()(held.all[1]!);
  expect((await first).headers.get("x-queue-ms")).toBe("0");
  const answer = await second;
  expect(answer.status).toBe(200);
  expect(Number(answer.headers.get("x-queue-ms"))).toBeGreaterThan(0);
  expect(sentTo(stubs)).toBe(2);
});

test("five hundred racing requests fill two workers' slots, and never one more", async () => {
  const slots = [3, 8];
  const counts = slots.map((count) => new Counted(count));
  const stubs = await Promise.all(counts.map(({ behaviour }) => startStubWorker({ behaviour })));
  const workers = stubs.map(({ url }, index) => ({ url, slots: slots[index]! }));
  const router = await startTestRouter({ workers });
  const post = async (): Promise<number> => {
    const answer = await router.post(PATH, CHAT);
    await answer.arrayBuffer();
    return answer.status;
  };
  const statuses = await Promise.all(Array.from({ length: 500 }, post));
  expect(counts.map(({ most }) => most)).toEqual(slots);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(sentTo(stubs)).toBe(500);
  await assertQuiet(router, stubs);
  await router.close();
  await Promise.all(stubs.map((stub) => stub.close()));
});
