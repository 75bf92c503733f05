import { expect, test } from "vitest";
import { makeCallback } from "../../support/callback-builders.ts";
import { settle } from "../../support/fake-clock.ts";
import { answered, makeQueue } from "./callback-queue-setup.ts";

const HOUR_MS = 3_600_000;

test("a callback is tried after 0 s, 5 s, 30 s, 2 min and 10 min, and then given up", async () => {
  const { clock, queue, attempts, said } = makeQueue({ always: answered(500) });
  queue.add(makeCallback());
  expect(attempts).toHaveLength(1);
  await clock.advanceAsync(HOUR_MS);
  expect(attempts.map(({ atMs }) => atMs / 1000)).toEqual([0, 5, 35, 155, 755]);
  expect(said("callback given up")).toEqual([
    {
      level: "warn",
      message: "callback given up",
      fields: {
        requestId: "job-1",
        user: "alice",
        host: "hooks.example.com",
        attempts: 5,
        why: "answered 500",
      },
    },
  ]);
  expect(queue.pendingCount).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

test("its id is the same in every attempt", async () => {
  const { clock, queue, attempts } = makeQueue({ always: answered(500) });
  queue.add(makeCallback({ id: "msg_7" }));
  await clock.advanceAsync(HOUR_MS);
  expect(attempts.map(({ callback }) => callback.id)).toEqual(Array(5).fill("msg_7"));
});

test.each([
  [0, [0, 4.5, 31.5, 139.5, 679.5]],
  [0.999_999_9, [0, 5.5, 38.5, 170.5, 830.5]],
])("delays are spread by 10 %% either way (random %d)", async (random, expected) => {
  const { clock, queue, attempts } = makeQueue({ always: answered(500), random: () => random });
  queue.add(makeCallback());
  await clock.advanceAsync(HOUR_MS);
  const seconds = attempts.map(({ atMs }) => Math.round(atMs / 100) / 10);
  expect(seconds).toEqual(expected);
});

test.each([200, 201, 204, 299])("%i is success", async (status) => {
  const { clock, queue, attempts, said } = makeQueue({ always: answered(status) });
  queue.add(makeCallback());
  await clock.advanceAsync(HOUR_MS);
  expect(attempts).toHaveLength(1);
  expect(queue.pendingCount).toBe(0);
  expect(said("callback delivered")).toHaveLength(1);
});

test.each([199, 300, 301, 302, 304, 307, 308, 400, 404, 429, 500, 503])(
  "%i is a failure, and tried again",
  async (status) => {
    const { clock, queue, attempts } = makeQueue({ always: answered(status) });
    queue.add(makeCallback());
    await clock.advanceAsync(5_000);
    expect(attempts).toHaveLength(2);
  },
);

test("410 ends it at once", async () => {
  const { clock, queue, attempts, said } = makeQueue({ always: answered(410) });
  queue.add(makeCallback());
  await clock.advanceAsync(HOUR_MS);
  expect(attempts).toHaveLength(1);
  expect(said("callback given up")).toHaveLength(1);
});

test("a failure that would only be repeated ends it at once", async () => {
  const { clock, queue, attempts, said } = makeQueue({
    always: { kind: "failed", why: "blocked", isFinal: true },
  });
  queue.add(makeCallback());
  await clock.advanceAsync(HOUR_MS);
  expect(attempts).toHaveLength(1);
  expect(said("callback given up")).toMatchObject([{ fields: { why: "blocked", attempts: 1 } }]);
});

test.each([
  [null, 5_000],
  [1_000, 5_000],
  [60_000, 60_000],
  [600_000, 600_000],
  [86_400_000, 600_000],
])("Retry-After of %j ms makes it wait %i ms", async (retryAfterMs, waitsMs) => {
  const { clock, queue, attempts } = makeQueue({ always: answered(429, retryAfterMs) });
  queue.add(makeCallback());
  await clock.advanceAsync(waitsMs - 1);
  expect(attempts).toHaveLength(1);
  await clock.advanceAsync(1);
  expect(attempts).toHaveLength(2);
});

test("a later attempt may succeed", async () => {
  const { clock, queue, attempts, said } = makeQueue();
  queue.add(makeCallback());
  await attempts[0]?.end(answered(503));
  await clock.advanceAsync(5_000);
  await attempts[1]?.end(answered(200));
  await settle();
  expect(said("callback delivered")).toMatchObject([{ fields: { attempts: 2 } }]);
  expect(queue.pendingCount).toBe(0);
});
