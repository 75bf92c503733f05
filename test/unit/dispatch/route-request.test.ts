import { describe, expect, test } from "vitest";
import { Abandonment } from "../../../src/dispatch/routed-request.ts";
import { settle } from "../../support/fake-clock.ts";
import { answers, COOLDOWN_MS, ends, RETRY_DELAY_MS, setStage, type Step } from "./route-setup.ts";

const good = answers(200);
const crash = answers(500);
const unsent = ends({ kind: "unreachable", failure: "connection refused" });
const broken = ends({ kind: "broken", failure: "reset", committed: false });
const throws: Step = () => Promise.reject(new Error("a defect"));

describe("a request", () => {
  test("that is answered has its answer, its one attempt, and no slot any more", async () => {
    const { send, told, tried, leases } = setStage({ steps: [good] });
    const end = await send();
    expect(end).toMatchObject({ status: 200, error: null });
    expect(end.attempts).toHaveLength(1);
    expect(end.attempts[0]).toMatchObject({ concurrency: 1 });
    expect(told).toEqual(["200 after 1"]);
    expect(tried).toHaveLength(1);
    expect(leases.openCount).toBe(0);
  });

  test("that provably was not sent is sent elsewhere at once", async () => {
    const { send, told, tried, clock } = setStage({ workers: 3, steps: [unsent, unsent, good] });
    expect(await send()).toMatchObject({ status: 200 });
    expect(clock.now()).toBe(0);
    expect(new Set(tried).size).toBe(3);
    expect(told).toEqual(["200 after 3"]);
  });

  test("that may have been run waits retry_delay, without its slot, and goes elsewhere", async () => {
    const { send, tried, clock, leases } = setStage({ steps: [broken, good] });
    const end = send();
    await clock.advanceAsync(RETRY_DELAY_MS - 1);
    expect(tried).toHaveLength(1);
    expect(leases.openCount).toBe(0);
    await clock.advanceAsync(1);
    expect(await end).toMatchObject({ status: 200 });
    expect(new Set(tried).size).toBe(2);
  });

  test("goes to the same worker after the delay where there is no other", async () => {
    const { send, tried, clock } = setStage({ workers: 1, steps: [unsent, good] });
    const end = send();
    await clock.advanceAsync(RETRY_DELAY_MS);
    expect(await end).toMatchObject({ status: 200 });
    expect(tried).toEqual([0, 0]);
  });

  test("is given up after max_retries, with how the last attempt failed", async () => {
    const { send, tried, told, clock } = setStage({
      maxRetries: 2,
      steps: [broken, broken, broken],
    });
    const end = send();
    await clock.advanceAsync(10 * RETRY_DELAY_MS);
    const { status, error, attempts } = await end;
    expect([status, error?.code]).toEqual([502, "WORKER_FAILED"]);
    expect(error?.message).toMatch(/^3 attempts failed; worker-\d: reset$/);
    expect(attempts).toHaveLength(3);
    expect(tried).toHaveLength(3);
    expect(told).toEqual(["502 WORKER_FAILED after 3"]);
  });

  test("is not retried where the deadline comes before the delay is over", async () => {
    const { send, tried, told, clock } = setStage({ steps: [broken] });
    const end = await send({ deadlineAtMs: RETRY_DELAY_MS });
    expect(end).toMatchObject({ status: 502 });
    expect(clock.now()).toBe(0);
    expect(tried).toHaveLength(1);
    expect(told).toEqual(["502 WORKER_FAILED after 1"]);
    const { send: sendLater, clock: later } = setStage({ steps: [broken, good] });
    const intime = sendLater({ deadlineAtMs: RETRY_DELAY_MS + 1 });
    await later.advanceAsync(RETRY_DELAY_MS);
    expect(await intime).toMatchObject({ status: 200 });
  });

  test("whose model one worker does not know is sent to the other at once", async () => {
    const { send, told, clock } = setStage({ steps: [answers(404), good] });
    await send();
    expect(clock.now()).toBe(0);
    expect(told).toEqual(["200 after 2"]);
  });

  test("gets the last worker's 404 where none knows the model", async () => {
    const { send, told, tried } = setStage({ steps: [answers(404), answers(404)] });
    expect(await send()).toMatchObject({ status: 404, error: null });
    expect(told).toEqual(["404 after 2"]);
    expect(new Set(tried).size).toBe(2);
  });

  test.each([400, 422])("gets a worker's %i as it is, and is not retried", async (status) => {
    const { send, told } = setStage({ steps: [answers(status)] });
    await send();
    expect(told).toEqual([`${status} after 1`]);
  });

  test("that found every worker busy is refused at once, with Retry-After", async () => {
    const { send, told, clock } = setStage({ steps: [answers(503), answers(429)] });
    const { error } = await send();
    expect(clock.now()).toBe(0);
    expect(error?.retryAfterMs).toBeGreaterThan(0);
    expect(told).toEqual(["503 NO_GPU_AVAILABLE after 2"]);
  });

  test("that ran up to its deadline is not retried", async () => {
    const late = ends({ kind: "timeout", workerAlive: true, committed: false });
    const { send, told } = setStage({ steps: [late] });
    expect(await send()).toMatchObject({ status: 504 });
    expect(told).toEqual(["504 DEADLINE_EXCEEDED after 1"]);
  });

  test("whose stream broke after it began is not retried, and told nothing more", async () => {
    const cut = ends({ kind: "broken", failure: "reset", committed: true });
    const { send, told } = setStage({ steps: [cut] });
    const end = await send();
    expect(end).toMatchObject({ status: 200, error: { code: "WORKER_FAILED" } });
    expect(told).toEqual([]);
  });

  test.each([true, false])(
    "whose client went during the attempt is told nothing, and counted if sent (%s)",
    async (sent) => {
      const abandoned = { ...ends({ kind: "abandoned" }), sent };
      const { send, told, reservations } = setStage({ steps: [abandoned] });
      expect(await send()).toMatchObject({ status: 499, error: null });
      expect(told).toEqual([]);
      expect(reservations).toEqual([{ sent, tokens: null }]);
    },
  );

  test("that nobody can take is refused at once where there is no queue", async () => {
    const { send, told, tried, take } = setStage({ workers: 1, slots: 1, queue: 0, steps: [] });
    const other = take(0);
    expect(await send()).toMatchObject({ status: 503, attempts: [] });
    expect(told).toEqual(["503 QUEUE_FULL after 0"]);
    expect(tried).toEqual([]);
    other.release();
  });
});

test("what the caller of a placement says it cost counts for its quota, and for nobody's turn", async () => {
  const usage = { promptTokens: null, completionTokens: 1_000_000_000 };
  const released = { ...ends({ kind: "released", how: "ok" }), usage };
  const { send, fairShare, reservations } = setStage({ steps: [released] });
  const meanTokens = fairShare.meanTokens;
  await send({ isPlacement: true, path: null });
  expect(reservations).toEqual([{ sent: true, tokens: 1_000_000_000 }]);
  expect(fairShare.meanTokens).toBe(meanTokens);
});

describe("a request that failed while every slot is taken", () => {
  /** Its one worker breaks the request, and gives the slot to somebody else. */
  function setFull(maxRetries = 3) {
    let other = { release: (): void => undefined };
    const steal: Step = () => {
      other = stage.take(0);
      return broken;
    };
    const stage = setStage({ workers: 1, slots: 1, maxRetries, steps: [steal, good] });
    return { ...stage, free: () => other.release() };
  }

  test("waits in the queue after its retry_delay, and takes the slot when it is free", async () => {
    const { send, free, clock, tried, told } = setFull();
    const end = send();
    await clock.advanceAsync(2.5 * RETRY_DELAY_MS);
    expect(tried).toHaveLength(1);
    free();
    expect(await end).toMatchObject({ status: 200, queueMs: 1.5 * RETRY_DELAY_MS });
    expect(told).toEqual(["200 after 2"]);
  });

  test("is told that no slot became free when its deadline comes in the queue", async () => {
    const { send, free, clock, told } = setFull();
    const end = send({ deadlineAtMs: 10 * RETRY_DELAY_MS });
    await clock.advanceAsync(10 * RETRY_DELAY_MS - 1);
    expect(told).toEqual([]);
    await clock.advanceAsync(1);
    expect(await end).toMatchObject({ status: 504, error: { code: "DEADLINE_EXCEEDED" } });
    expect(told).toEqual(["504 DEADLINE_EXCEEDED after 1"]);
    free();
  });

  test("is told how it failed where no retry was left", async () => {
    const { send, free, told } = setFull(0);
    await send();
    expect(told).toEqual(["502 WORKER_FAILED after 1"]);
    free();
  });

  test("ends at once when its client goes, and is told nothing", async () => {
    const { send, free, clock, tried, told } = setFull();
    const abandonment = new Abandonment();
    const end = send({ abandonment });
    await clock.advanceAsync(1.5 * RETRY_DELAY_MS);
    abandonment.abandon("client_gone");
    expect(await end).toMatchObject({ status: 499, error: null });
    expect(clock.now()).toBe(1.5 * RETRY_DELAY_MS);
    expect(told).toEqual([]);
    free();
    await clock.advanceAsync(10 * RETRY_DELAY_MS);
    expect(tried).toHaveLength(1);
  });
});

describe("an attempt that throws", () => {
  test("gives its slot back, and says nothing about the worker", async () => {
    const { send, leases, cooldowns, told } = setStage({ workers: 1, steps: [throws] });
    await expect(send()).rejects.toThrow("a defect");
    expect(leases.openCount).toBe(0);
    expect(cooldowns.errorRate(0)).toBe(0);
    expect(told).toEqual([]);
  });

  test("still ends the request: what was undecided is judged", async () => {
    const { send, cooldowns, tried, clock } = setStage({ steps: [crash, throws] });
    const end = expect(send()).rejects.toThrow("a defect");
    await settle();
    expect(cooldowns.errorRate(tried[0]!)).toBe(0);
    await clock.advanceAsync(RETRY_DELAY_MS);
    await end;
    expect(tried.map((index) => cooldowns.errorRate(index))).toEqual([1, 0]);
  });

  test("makes room for the next probe", async () => {
    const steps = [unsent, unsent, unsent, throws, good];
    const { send, cooldowns, clock } = setStage({ workers: 1, maxRetries: 0, steps });
    for (let failure = 0; failure < 3; failure++) {
      await send();
      clock.advance(1000);
    }
    clock.advance(COOLDOWN_MS);
    const deadlineAtMs = 2 * COOLDOWN_MS;
    await expect(send({ deadlineAtMs })).rejects.toThrow("a defect");
    expect(cooldowns.blocks(0)).toBe(false);
    expect(await send({ deadlineAtMs })).toMatchObject({ status: 200 });
  });
});
