import { describe, expect, test } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { answers, ends, RETRY_DELAY_MS, setStage, type Step } from "./route-setup.ts";

const good = answers(200);
const broken = ends({ kind: "broken", failure: "reset", committed: false });
const stale = ends({ kind: "broken", failure: "reset", committed: false, stale: true });
const unsent = ends({ kind: "unreachable", failure: "connection refused" });
const noSocket = ends({ kind: "unreachable", failure: "too many open files", ours: true });

describe("a connection that was stale", () => {
  test("is tried again at once, on the same worker, and says nothing about it", async () => {
    const { send, tried, clock, cooldowns } = setStage({ workers: 1, steps: [stale, good] });
    expect(await send()).toMatchObject({ status: 200 });
    expect(clock.now()).toBe(0);
    expect(tried).toEqual([0, 0]);
    expect(cooldowns.errorRate(0)).toBe(0);
  });

  test("twice in a row is how the worker answers: it has failed, and the request waits", async () => {
    const steps = [stale, stale, good];
    const { send, tried, clock, cooldowns } = setStage({ workers: 1, steps });
    const end = send();
    await settle();
    expect(tried).toEqual([0, 0]);
    expect(cooldowns.errorRate(0)).toBe(1);
    await clock.advanceAsync(RETRY_DELAY_MS);
    expect(await end).toMatchObject({ status: 200 });
  });
});

test("a stale connection to one worker says nothing about that to the next", async () => {
  const { send, clock, cooldowns } = setStage({ workers: 2, steps: [stale, stale, good] });
  expect(await send()).toMatchObject({ status: 200 });
  expect(clock.now()).toBe(0);
  expect([cooldowns.errorRate(0), cooldowns.errorRate(1)]).toEqual([0, 0]);
});

test("a worker that is too busy sends a request to one that is merely full now", async () => {
  const { send, take, clock, tried, turns } = setStage({ slots: 1, steps: [answers(429), good] });
  const other = take(1);
  const end = send();
  await clock.advanceAsync(RETRY_DELAY_MS / 4);
  other.release();
  await clock.advanceAsync(RETRY_DELAY_MS);
  turns.lookAgain();
  expect(await end).toMatchObject({ status: 200 });
  expect(tried).toEqual([0, 1]);
});

test("want of a socket of our own is no worker's failure, and is waited for", async () => {
  const { send, tried, clock, cooldowns } = setStage({ workers: 1, steps: [noSocket, good] });
  const end = send();
  await settle();
  expect([tried, cooldowns.errorRate(0)]).toEqual([[0], 0]);
  await clock.advanceAsync(RETRY_DELAY_MS);
  expect(await end).toMatchObject({ status: 200 });
});

describe("an empty retry budget", () => {
  const emptied = (steps: readonly Step[], workers = 2) => {
    const stage = setStage({ workers, steps });
    while (stage.retryBudget.take());
    return stage;
  };

  test("makes a retry wait for its token, and not fail", async () => {
    const { send, tried, clock, retryBudget } = emptied([broken, good]);
    const end = send();
    await clock.advanceAsync(RETRY_DELAY_MS - 1);
    while (retryBudget.take());
    await clock.advanceAsync(1);
    expect(tried).toHaveLength(1);
    await clock.advanceAsync(RETRY_DELAY_MS);
    expect(tried).toHaveLength(2);
    expect(await end).toMatchObject({ status: 200 });
  });

  test("does not hold up what no worker saw", async () => {
    const { send, clock } = emptied([unsent, good]);
    expect(await send()).toMatchObject({ status: 200 });
    expect(clock.now()).toBe(0);
  });

  test("holds up what would else go elsewhere at once", async () => {
    const { send, tried, clock } = emptied([answers(503), good]);
    const end = send();
    await settle();
    expect(tried).toHaveLength(1);
    await clock.advanceAsync(100);
    expect(await end).toMatchObject({ status: 200 });
  });

  test("ends with how the last attempt failed, at the deadline", async () => {
    const { send, told, clock, retryBudget } = emptied([broken]);
    const end = send({ deadlineAtMs: 5000 });
    for (let waited = 0; waited < 5000; waited += 10) {
      while (retryBudget.take());
      await clock.advanceAsync(10);
    }
    await end;
    expect(told).toEqual(["502 WORKER_FAILED after 1"]);
  });

  test("costs one token a retry, none for the first attempt", async () => {
    const { send, clock, retryBudget } = setStage({ steps: [broken, good] });
    const end = send();
    await settle();
    expect(retryBudget.tokens).toBeCloseTo(100, 5);
    await clock.advanceAsync(RETRY_DELAY_MS);
    await end;
    expect(retryBudget.tokens).toBeCloseTo(99, 5);
  });
});

describe("a request under which workers die", () => {
  test("is given to no third", async () => {
    const steps = [broken, broken];
    const { send, tried, told, clock } = setStage({ workers: 4, workersDie: true, steps });
    const end = send();
    await clock.advanceAsync(10 * RETRY_DELAY_MS);
    const { error } = await end;
    expect(new Set(tried).size).toBe(2);
    expect(told).toEqual(["502 WORKER_FAILED after 2"]);
    expect(error?.message).toMatch(
      /^worker-\d and worker-\d stopped answering while they ran this/,
    );
  });

  test("may meet more that are alive and only break its connection", async () => {
    const steps = [broken, broken, broken, good];
    const { send, clock } = setStage({ workers: 4, steps });
    const end = send();
    await clock.advanceAsync(10 * RETRY_DELAY_MS);
    expect(await end).toMatchObject({ status: 200 });
  });
});
