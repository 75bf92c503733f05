import { expect, test } from "vitest";
import type { Pressure } from "../../../src/admission/overload.ts";
import { watchPressure } from "../../../src/observability/pressure.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A clock whose timers come late, as all do where the loop is held up. */
class LateClock extends FakeClock {
  #lateMs = 0;

  override now(): number {
    return super.now() + this.#lateMs;
  }

  holdUp(ms: number): void {
    this.#lateMs += ms;
  }
}

function watched() {
  const clock = new LateClock();
  const samples: Pressure[] = [];
  const watch = watchPressure(clock, (sample) => void samples.push(sample));
  return { clock, samples, watch, delays: () => samples.map(({ loopDelayMs }) => loopDelayMs) };
}

test("four samples a second tell of a loop in time, and of memory in shares", () => {
  const { clock, samples, watch } = watched();
  clock.advance(1000);
  expect(samples).toHaveLength(4);
  for (const { loopDelayMs, heapShare, memoryShare } of samples) {
    expect(loopDelayMs).toBe(0);
    expect(heapShare).toBeGreaterThanOrEqual(0);
    expect(heapShare).toBeLessThan(1);
    expect(memoryShare).toBeGreaterThan(0);
    expect(memoryShare).toBeLessThan(1);
  }
  watch.cancel();
  expect(clock.pendingTimers).toBe(0);
});

test("the longest delay is told once, in the sample of its time", () => {
  const { clock, delays } = watched();
  clock.advance(100);
  clock.holdUp(120);
  clock.advance(1000);
  expect(delays().slice(0, 3)).toEqual([120, 0, 0]);
});

test("a loop that is held up all the time is seen in every sample", () => {
  const { clock, delays } = watched();
  for (let turn = 0; turn < 5; turn++) {
    clock.holdUp(400);
    clock.advance(25);
  }
  expect(delays()).toEqual([400, 400, 400, 400, 400]);
});
