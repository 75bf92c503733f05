import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../../../src/simulator/virtual-clock.ts";

const NEVER = () => false;

describe("a timeline", () => {
  let timeline: Timeline;
  let fired: string[];
  const note = (name: string) => () => void fired.push(`${name} at ${timeline.nowMs}`);

  beforeEach(() => {
    timeline = new Timeline(0.5);
    fired = [];
  });

  test("fires in order of time, and of making where times are the same", async () => {
    timeline.router.after(20, note("late"));
    timeline.world.after(10, note("first"));
    timeline.router.after(10, note("second"));
    await timeline.run(100, NEVER);
    expect(fired).toEqual(["first at 10.5", "second at 10.5", "late at 20.5"]);
    expect(timeline.nowMs).toBe(100);
  });

  test("lets all promises settle before the next timer, however many follow each other", async () => {
    const chain = async (): Promise<void> => {
      for (let link = 0; link < 1000; link++) await Promise.resolve();
      note("settled")();
    };
    timeline.world.after(1, () => void chain());
    timeline.world.after(1, note("next"));
    await timeline.run(5, NEVER);
    expect(fired).toEqual(["settled at 1.5", "next at 1.5"]);
  });

  test("repeats a period until it is cancelled", async () => {
    const timer = timeline.router.every(10, note("tick"));
    timeline.world.after(25, () => timer.cancel());
    await timeline.run(100, NEVER);
    expect(fired).toEqual(["tick at 10.5", "tick at 20.5"]);
  });

  test("stops where it is told to, and goes on from there", async () => {
    timeline.router.after(10, note("one"));
    timeline.router.after(20, note("two"));
    await timeline.run(100, () => fired.length > 0);
    expect([fired.length, timeline.nowMs]).toEqual([1, 10.5]);
    await timeline.run(100, NEVER);
    expect(fired).toHaveLength(2);
  });

  test("counts the router's timers apart from the world's", async () => {
    const cancelled = timeline.router.after(10, note("never"));
    timeline.router.after(10, note("once"));
    timeline.router.every(10, note("for ever"));
    timeline.world.after(99, note("world"));
    expect(timeline.router.pendingTimers).toBe(3);
    cancelled.cancel();
    cancelled.cancel();
    await timeline.run(15, NEVER);
    expect([timeline.router.pendingTimers, timeline.world.pendingTimers]).toEqual([1, 1]);
  });

  test("a wall clock that is set moves nothing that is measured", () => {
    const { router } = timeline;
    const before = router.wallMs();
    router.wallStartMs += 3_600_000;
    expect([router.wallMs() - before, router.now()]).toEqual([3_600_000, 0.5]);
  });
});
