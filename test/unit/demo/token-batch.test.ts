import { describe, expect, test } from "vitest";
import { TokenBatch } from "../../../src/demo/token-batch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const SLOTS = 2;

function setUp(speed = 1) {
  const clock = new FakeClock();
  const loads: number[] = [];
  const onRunning = (requests: number): void => void loads.push(requests);
  const batch = new TokenBatch({ clock, slots: SLOTS, speed, onRunning });
  /** Submits a job and returns when its tokens came. */
  const submit = (tokens: number) => {
    const atMs: number[] = [];
    const onToken = (): void => void atMs.push(clock.now());
    const cancel = batch.submit({ model: "m", tokens, onToken });
    return { atMs, cancel };
  };
  return { clock, batch, loads, submit };
}

describe("a token batch", () => {
  test("makes a token per step of 20 ms × (1 + 0.02 × running) ÷ speed", () => {
    const { clock, submit } = setUp(0.5);
    const { atMs } = submit(3);
    clock.advance(1_000);
    expect(atMs.map((ms) => Number(ms.toFixed(3)))).toEqual([40.8, 81.6, 122.4]);
  });

  test("serves all running requests with one timer, each step a little longer", () => {
    const { clock, submit } = setUp();
    const [first, second] = [submit(1), submit(1)];
    expect(clock.pendingTimers).toBe(1);
    clock.advance(100);
    expect(first.atMs).toEqual([20.4]);
    expect(second.atMs).toEqual([20.4]);
    clock.advance(100);
    const [third, fourth] = [submit(2), submit(2)];
    clock.advance(100);
    expect(third.atMs[1]).toBeCloseTo(200 + 20.4 + 20.8);
    expect(fourth.atMs).toEqual(third.atMs);
  });

  test("lets requests beyond the slots wait, first come first served", () => {
    const { clock, batch, submit } = setUp();
    const jobs = [submit(2), submit(1), submit(1), submit(1)];
    expect([batch.running(), batch.waiting()]).toEqual([2, 2]);
    clock.advance(21);
    expect(jobs.map(({ atMs }) => atMs.length)).toEqual([1, 1, 0, 0]);
    clock.advance(21);
    expect(jobs.map(({ atMs }) => atMs.length)).toEqual([2, 1, 1, 0]);
    clock.advance(21);
    expect(jobs.map(({ atMs }) => atMs.length)).toEqual([2, 1, 1, 1]);
  });

  test("gives a cancelled request's slot to the next in line at once", () => {
    const { clock, batch, submit } = setUp();
    const [first, , third] = [submit(5), submit(5), submit(5)];
    first?.cancel();
    expect([batch.running(), batch.waiting()]).toEqual([2, 0]);
    clock.advance(1_000);
    expect(first?.atMs).toEqual([]);
    expect(third?.atMs).toHaveLength(5);
  });

  test("forgets a request that is cancelled while it waits", () => {
    const { clock, batch, submit } = setUp();
    const [, , third] = [submit(1), submit(1), submit(1)];
    third?.cancel();
    expect(batch.waiting()).toBe(0);
    clock.advance(1_000);
    expect(third?.atMs).toEqual([]);
  });

  test("leaves no timer behind, and frees slots once, when everything is cancelled or over", () => {
    const { clock, batch, submit, loads } = setUp();
    const job = submit(5);
    job.cancel();
    job.cancel();
    expect(clock.pendingTimers).toBe(0);
    const other = submit(1);
    clock.advance(100);
    other.cancel();
    expect([batch.running(), clock.pendingTimers]).toEqual([0, 0]);
    expect(loads).toEqual([1, 0, 1, 0]);
  });

  test("counts by model", () => {
    const { batch } = setUp();
    for (const model of ["a", "b", "b"]) batch.submit({ model, tokens: 1, onToken: () => {} });
    expect([batch.running("a"), batch.running("b"), batch.waiting("b")]).toEqual([1, 1, 1]);
  });
});
