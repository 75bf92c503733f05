import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/clock.ts";
import { Deadlines, TICK_MS } from "../../../src/dispatch/deadlines.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function createWheel(startMs = 0) {
  const clock = new FakeClock();
  clock.advance(startMs);
  return { clock, wheel: new Deadlines(clock) };
}

describe("a deadline", () => {
  test("is never early, and at most one tick late, whenever it is set", () => {
    const entries = fc.array(
      fc.record({
        afterMs: fc.double({ min: 0, max: 300, noNaN: true }),
        inMs: fc.double({ min: -50, max: 5000, noNaN: true }),
      }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), entries, (startMs, all) => {
        const { clock, wheel } = createWheel(startMs);
        const lateness: number[] = [];
        for (const { afterMs, inMs } of all) {
          clock.advance(afterMs);
          const dueMs = clock.now() + inMs;
          const setMs = clock.now();
          wheel.at(dueMs, () => lateness.push(clock.now() - Math.max(dueMs, setMs)));
        }
        clock.advance(5000 + 2 * TICK_MS);
        expect(lateness).toHaveLength(all.length);
        expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...lateness)).toBeLessThanOrEqual(TICK_MS + 1e-6);
        expect(clock.pendingTimers).toBe(0);
      }),
    );
  });

  test("that is cancelled does not run, and cancelling again does nothing", () => {
    const { clock, wheel } = createWheel();
    const run: string[] = [];
    const first = wheel.at(500, () => run.push("first"));
    wheel.at(500, () => run.push("second"));
    first.cancel();
    first.cancel();
    clock.advance(1000);
    expect(run).toEqual(["second"]);
    first.cancel();
  });

  test("may cancel another of its own tick", () => {
    const { clock, wheel } = createWheel();
    const run: string[] = [];
    wheel.at(500, () => {
      run.push("first");
      second.cancel();
    });
    const second = wheel.at(500, () => run.push("second"));
    wheel.at(500, () => run.push("third"));
    clock.advance(1000);
    expect(run).toEqual(["first", "third"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("may set the next one from within, also one that is over already", () => {
    const { clock, wheel } = createWheel();
    const ranAtMs: number[] = [];
    const again = (): void => {
      ranAtMs.push(clock.now());
      if (ranAtMs.length < 4) wheel.at(clock.now() - 1, again);
    };
    wheel.at(200, again);
    clock.advance(2000);
    expect(ranAtMs).toEqual([200, 300, 400, 500]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("that passed while the process was held up still runs, in order", () => {
    const { clock, wheel } = createWheel();
    const run: number[] = [];
    for (const dueMs of [900, 100, 500]) wheel.at(dueMs, () => run.push(dueMs));
    clock.advance(1000);
    expect(run).toEqual([100, 500, 900]);
  });
});

describe("the wheel", () => {
  test("needs one timer for ten thousand deadlines, and none when they are over", () => {
    const { clock, wheel } = createWheel(37);
    let ran = 0;
    for (let at = 0; at < 10_000; at++) wheel.at(1000 + at, () => (ran += 1));
    expect(clock.pendingTimers).toBe(1);
    clock.advance(20_000);
    expect(ran).toBe(10_000);
    expect(clock.pendingTimers).toBe(0);
  });

  test("has no timer before the first deadline, nor a tick after the last is cancelled", () => {
    const { clock, wheel } = createWheel();
    expect(clock.pendingTimers).toBe(0);
    wheel.at(5000, () => undefined).cancel();
    clock.advance(TICK_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  test("turns again after a rest", () => {
    const { clock, wheel } = createWheel();
    const ranAtMs: number[] = [];
    wheel.at(100, () => ranAtMs.push(clock.now()));
    clock.advance(60_050);
    wheel.at(60_120, () => ranAtMs.push(clock.now()));
    clock.advance(1000);
    expect(ranAtMs).toEqual([100, 60_200]);
  });

  test("forgets its deadlines when it is closed", () => {
    const { clock, wheel } = createWheel();
    let ran = false;
    wheel.at(500, () => (ran = true));
    wheel.close();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1000);
    expect(ran).toBe(false);
  });
});

describe("after a standstill of the process", () => {
  /** A clock whose process was stopped for so long: no timer ran meanwhile. */
  const createStopped = () => {
    const running = new FakeClock();
    let stoodStillMs = 0;
    const clock: Clock = {
      now: () => running.now() + stoodStillMs,
      wallMs: () => running.wallMs() + stoodStillMs,
      after: (delayMs, run) => running.after(delayMs, run),
      every: (periodMs, run) => running.every(periodMs, run),
    };
    const stop = (ms: number): void => void (stoodStillMs += ms);
    return { running, clock, stop };
  };

  test("what is due waits for one tick, in which sockets are read", () => {
    const { running, clock, stop } = createStopped();
    const deadlines = new Deadlines(clock);
    const fired: string[] = [];
    deadlines.at(1000, () => fired.push("a"));
    deadlines.at(70_000, () => fired.push("b"));
    running.advance(500);
    stop(60_000);
    running.advance(TICK_MS);
    expect(fired).toEqual([]);
    running.advance(TICK_MS);
    expect(fired).toEqual(["a"]);
    running.advance(9500);
    expect(fired).toEqual(["a", "b"]);
    deadlines.close();
  });

  test("a short one is none", () => {
    const { running, clock, stop } = createStopped();
    const deadlines = new Deadlines(clock);
    const fired: string[] = [];
    deadlines.at(1000, () => fired.push("a"));
    stop(4000);
    running.advance(TICK_MS);
    expect(fired).toEqual(["a"]);
    deadlines.close();
  });
});
