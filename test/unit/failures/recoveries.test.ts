import { describe, expect, test } from "vitest";
import { COOLDOWN_MS, createTrial } from "./cooldown-setup.ts";

describe("the share of failures", () => {
  /** A worker that fails every second request, never five in a row. */
  const failHalf = (trial: ReturnType<typeof createTrial>, workerIndex: number): void => {
    for (let round = 0; round < 30; round++) {
      trial.tries("failure", 1, workerIndex);
      trial.tries("success", 1, workerIndex);
    }
  };

  test("takes out half of those that do the same work, and no more", () => {
    const trial = createTrial({ peersOf: () => [0, 1, 2, 3] });
    for (const index of [0, 1, 2, 3]) failHalf(trial, index);
    const { cooldowns } = trial;
    expect([0, 1, 2, 3].map((index) => cooldowns.isCooling(index))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("spares the only worker; failures in a row do not", () => {
    const trial = createTrial({ peersOf: (index) => [index] });
    failHalf(trial, 0);
    expect(trial.cooldowns.isCooling(0)).toBe(false);
    trial.tries("failure", 5);
    expect(trial.cooldowns.isCooling(0)).toBe(true);
  });

  test("does not count those that are out for failures in a row", () => {
    const trial = createTrial({ peersOf: () => [0, 1, 2, 3] });
    for (const index of [0, 1]) trial.tries("failure", 5, index);
    failHalf(trial, 2);
    expect(trial.cooldowns.isCooling(2)).toBe(true);
  });
});

describe("a worker that is too busy", () => {
  const busy = { class: "neutral", failure: "answered 429", wasProbe: false } as const;

  test("gets nothing until the pause is over, and has not failed", () => {
    const { clock, cooldowns } = createTrial();
    cooldowns.ended(0, { ...busy, pauseMs: 3000 });
    expect(cooldowns.blocks(0)).toBe(true);
    expect(cooldowns.isCooling(0)).toBe(false);
    expect(cooldowns.errorRate(0)).toBe(0);
    expect(cooldowns.describe(0)).toEqual({
      state: "paused",
      reason: "answered 429",
      untilMs: 3000,
    });
    clock.advance(2999);
    expect(cooldowns.blocks(0)).toBe(true);
    clock.advance(1);
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.describe(0)).toBeNull();
    expect(cooldowns.slotLimit(0, 16)).toBe(16);
  });

  test("is not asked earlier because it says so twice", () => {
    const { clock, cooldowns } = createTrial();
    cooldowns.ended(0, { ...busy, pauseMs: 30_000 });
    cooldowns.ended(0, { ...busy, pauseMs: 1000 });
    clock.advance(29_999);
    expect(cooldowns.blocks(0)).toBe(true);
  });

  test("as a probe has neither failed nor come back", () => {
    const { clock, cooldowns, tries } = createTrial();
    tries("failure", 5);
    clock.advance(COOLDOWN_MS);
    const wasProbe = cooldowns.began(0);
    cooldowns.ended(0, { ...busy, wasProbe, pauseMs: 1000 });
    expect(cooldowns.blocks(0)).toBe(true);
    clock.advance(1000);
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.isCooling(0)).toBe(true);
  });
});

describe("a worker that may be dead", () => {
  const refused = { class: "connection", failure: "refused", wasProbe: false } as const;

  test("gets nothing for a second", () => {
    const { clock, cooldowns } = createTrial();
    cooldowns.ended(0, { ...refused, suspects: true });
    expect(cooldowns.describe(0)).toEqual({ state: "paused", reason: "refused", untilMs: 1000 });
    clock.advance(999);
    expect(cooldowns.blocks(0)).toBe(true);
    clock.advance(1);
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("gets requests again as soon as it has answered anything", () => {
    const { cooldowns } = createTrial();
    cooldowns.ended(0, { ...refused, suspects: true });
    cooldowns.trust(0);
    expect(cooldowns.blocks(0)).toBe(false);
    cooldowns.trust(1);
    expect(cooldowns.blocks(1)).toBe(false);
  });

  test("still has its pause where it is too busy as well", () => {
    const { cooldowns } = createTrial();
    cooldowns.ended(0, { ...refused, class: "neutral", pauseMs: 5000 });
    cooldowns.ended(0, { ...refused, suspects: true });
    cooldowns.trust(0);
    expect(cooldowns.blocks(0)).toBe(true);
  });
});

describe("early recovery", () => {
  const cooling = (earlyRecovery: boolean) => {
    const trial = createTrial({ earlyRecovery });
    trial.tries("failure", 5);
    return trial;
  };

  test("makes the probe due after two good checks in a row", () => {
    const { cooldowns, changes, clock } = cooling(true);
    clock.advance(5000);
    cooldowns.checked(0, true);
    cooldowns.checked(0, false);
    cooldowns.checked(0, true);
    expect(cooldowns.blocks(0)).toBe(true);
    cooldowns.checked(0, true);
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.describe(0)).toMatchObject({ state: "probing", untilMs: 5000 });
    expect(changes.at(-1)).toMatchObject({ kind: "due", workerIndex: 0 });
    cooldowns.checked(0, true);
    expect(changes).toHaveLength(2);
  });

  test("is off unless the operator wants it", () => {
    const { cooldowns } = cooling(false);
    for (let i = 0; i < 9; i++) cooldowns.checked(0, true);
    expect(cooldowns.blocks(0)).toBe(true);
  });

  test("still wants two good probes and a slow start", () => {
    const { cooldowns, tries } = cooling(true);
    cooldowns.checked(0, true);
    cooldowns.checked(0, true);
    tries("success", 1);
    expect(cooldowns.isCooling(0)).toBe(true);
    tries("success", 1);
    expect(cooldowns.slotLimit(0, 16)).toBe(1);
  });

  test("says nothing about workers that do not cool", () => {
    const { cooldowns, changes } = createTrial({ earlyRecovery: true });
    cooldowns.checked(0, true);
    cooldowns.checked(0, true);
    expect(changes).toEqual([]);
  });
});

describe("an operator who clears a cooldown", () => {
  test("ends it at once, with all slots and nothing remembered", () => {
    const { cooldowns, tries, changes } = createTrial();
    tries("failure", 5);
    expect(cooldowns.coolingCount).toBe(1);
    expect(cooldowns.clear(0)).toBe(true);
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.slotLimit(0, 16)).toBe(16);
    expect(cooldowns.coolingCount).toBe(0);
    expect(changes.at(-1)).toMatchObject({ kind: "cleared", workerIndex: 0 });
    tries("failure", 4);
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("ends a pause too", () => {
    const { cooldowns } = createTrial();
    const end = { class: "neutral", failure: "answered 429", wasProbe: false } as const;
    cooldowns.ended(0, { ...end, pauseMs: 1000 });
    expect(cooldowns.clear(0)).toBe(true);
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("ends a slow start too", () => {
    const { cooldowns, tries, clock } = createTrial();
    tries("failure", 5);
    clock.advance(COOLDOWN_MS);
    tries("success", 2);
    expect(cooldowns.coolingCount).toBe(0);
    expect(cooldowns.clear(0)).toBe(true);
    expect(cooldowns.slotLimit(0, 16)).toBe(16);
    expect(cooldowns.coolingCount).toBe(0);
  });

  test("is told where there was nothing to clear", () => {
    const { cooldowns, tries, changes } = createTrial();
    expect(cooldowns.clear(0)).toBe(false);
    tries("failure", 4);
    expect(cooldowns.clear(0)).toBe(false);
    expect(changes).toEqual([]);
  });
});
