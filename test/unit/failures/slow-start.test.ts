import { describe, expect, test } from "vitest";
import { SlowStart } from "../../../src/failures/slow-start.ts";
import { createTrial } from "./cooldown-setup.ts";

const SECOND = 1000;

/** When a worker with so many slots may use all of them, if `perSecond` requests go well. */
function fullAfterMs(slots: number, perSecond: number): number {
  const slowStart = new SlowStart(0);
  for (let nowMs = 0; nowMs < 120 * SECOND; nowMs += SECOND / 10) {
    const limit = slowStart.limit(slots, nowMs);
    if (limit >= slots) return nowMs;
    for (let i = 0; i < perSecond / 10; i++) slowStart.succeeded();
  }
  return Infinity;
}

describe("a slow start", () => {
  test("begins with one request at once, and doubles after five that went well", () => {
    const slowStart = new SlowStart(0);
    const step = (30 * SECOND) / 4;
    expect(slowStart.limit(16, 0)).toBe(1);
    for (let i = 0; i < 4; i++) slowStart.succeeded();
    expect(slowStart.limit(16, step)).toBe(1);
    slowStart.succeeded();
    expect(slowStart.limit(16, step)).toBe(2);
    expect(slowStart.limit(16, step + 1)).toBe(2);
  });

  test("does not double before its step is over, however many went well", () => {
    const slowStart = new SlowStart(0);
    for (let i = 0; i < 500; i++) slowStart.succeeded();
    expect(slowStart.limit(16, (30 * SECOND) / 4 - 1)).toBe(1);
  });

  test.each([2, 3, 16, 32, 256])("of %i slots takes 30 s under load", (slots) => {
    expect(fullAfterMs(slots, 100)).toBeGreaterThanOrEqual(30 * SECOND);
    expect(fullAfterMs(slots, 100)).toBeLessThanOrEqual(31 * SECOND);
  });

  test.each([2, 3, 16, 32, 256])("of %i slots takes 50 s where nothing comes", (slots) => {
    expect(fullAfterMs(slots, 0)).toBeCloseTo(50 * SECOND, -2);
  });

  test("is over when it says so, however the steps fell", () => {
    const slowStart = new SlowStart(0);
    for (let i = 0; i < 5; i++) slowStart.succeeded();
    expect(slowStart.limit(8, 49_000)).toBeLessThan(8);
    expect(slowStart.limit(8, slowStart.endsAtMs)).toBe(8);
  });

  test("of one slot is none", () => {
    expect(new SlowStart(0).limit(1, 0)).toBe(1);
  });
});

describe("a worker back from its cooldown", () => {
  const recovered = () => {
    const trial = createTrial();
    trial.tries("failure", 5);
    trial.clock.advance(300 * SECOND);
    trial.tries("success", 2);
    return trial;
  };

  test("has one slot, and all of them within a minute of the first good probe", () => {
    const { clock, cooldowns } = recovered();
    expect(cooldowns.slotLimit(0, 16)).toBe(1);
    const untilMs = clock.now() + 50 * SECOND;
    expect(cooldowns.describe(0)).toMatchObject({ state: "warming_up", untilMs });
    clock.advance(60 * SECOND);
    expect(cooldowns.slotLimit(0, 16)).toBe(16);
    expect(cooldowns.describe(0)).toBeNull();
  });

  test("is taken out again by the same rules", () => {
    const { cooldowns, tries, clock } = recovered();
    tries("connection", 3);
    expect(cooldowns.blocks(0)).toBe(true);
    clock.advance(300 * SECOND);
    expect(cooldowns.slotLimit(0, 16)).toBe(16);
    tries("success", 2);
    expect(cooldowns.slotLimit(0, 16)).toBe(1);
  });

  test("that never cooled has all its slots", () => {
    expect(createTrial().cooldowns.slotLimit(0, 16)).toBe(16);
  });
});
