import { describe, expect, test } from "vitest";
import { COOLDOWN_MS, createTrial } from "./cooldown-setup.ts";

/** Worker 0 has cooled for its whole time: its probe is due. */
function createDue() {
  const trial = createTrial();
  trial.tries("failure", 5);
  trial.clock.advance(COOLDOWN_MS);
  return trial;
}

describe("a cooldown", () => {
  test("lasts its whole time, and not longer", () => {
    const { clock, cooldowns, tries } = createTrial();
    tries("failure", 5);
    clock.advance(COOLDOWN_MS - 1);
    expect(cooldowns.blocks(0)).toBe(true);
    clock.advance(1);
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.isCooling(0)).toBe(true);
  });

  test("is neither lengthened nor shortened by requests that were sent before it", () => {
    const { clock, cooldowns, send, tries, changes } = createTrial();
    const sentBefore = Array.from({ length: 12 }, () => send());
    tries("failure", 5);
    clock.advance(1000);
    for (const end of sentBefore.slice(0, 6)) end("failure");
    for (const end of sentBefore.slice(6)) end("success");
    expect(changes).toHaveLength(1);
    expect(cooldowns.describe(0)?.untilMs).toBe(COOLDOWN_MS);
    clock.advance(COOLDOWN_MS);
    expect(cooldowns.blocks(0)).toBe(false);
  });
});

describe("a probe", () => {
  test("is the only request that a worker gets until it ends", () => {
    const { cooldowns, send } = createDue();
    expect(cooldowns.blocks(0)).toBe(false);
    const end = send();
    expect(cooldowns.blocks(0)).toBe(true);
    end("success");
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("that succeeds twice brings the worker back", () => {
    const { cooldowns, tries, changes } = createDue();
    tries("success", 1);
    expect(cooldowns.isCooling(0)).toBe(true);
    tries("success", 1);
    expect(cooldowns.isCooling(0)).toBe(false);
    expect(changes.at(-1)).toMatchObject({ workerIndex: 0, kind: "recovered" });
    expect(cooldowns.began(0)).toBe(false);
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("that fails cools the worker again for the whole time", () => {
    const { clock, cooldowns, tries, changes } = createDue();
    tries("success", 1);
    tries("failure", 1);
    expect(cooldowns.blocks(0)).toBe(true);
    expect(changes.at(-1)).toEqual({
      workerIndex: 0,
      kind: "cooling",
      reason: "probe failed: it broke",
      untilMs: 2 * COOLDOWN_MS,
    });
    clock.advance(COOLDOWN_MS);
    tries("success", 1);
    expect(cooldowns.isCooling(0)).toBe(true);
    tries("success", 1);
    expect(cooldowns.isCooling(0)).toBe(false);
  });

  test.each(["neutral", "shared"] as const)("whose end is %s makes room for the next", (said) => {
    const { cooldowns, send, tries } = createDue();
    const end = send();
    end(said);
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.isCooling(0)).toBe(true);
    tries("success", 2);
    expect(cooldowns.isCooling(0)).toBe(false);
  });

  test("that runs for long makes room for another after 30 s, and ends for itself", () => {
    const { clock, cooldowns, send } = createDue();
    const long = send();
    clock.advance(29_999);
    expect(cooldowns.blocks(0)).toBe(true);
    clock.advance(1);
    expect(cooldowns.blocks(0)).toBe(false);
    const second = send();
    expect(cooldowns.blocks(0)).toBe(true);
    long("neutral");
    expect(cooldowns.blocks(0)).toBe(true);
    second("success");
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("under way when an operator clears the cooldown is still the only one in the next", () => {
    const { clock, cooldowns, send, tries } = createDue();
    clock.advance(1000);
    const old = send();
    cooldowns.clear(0);
    tries("failure", 5);
    cooldowns.checked(0, true);
    expect(cooldowns.mayBeProbedAfter(0, 0)).toBe(false);
    old("neutral");
    expect(cooldowns.mayBeProbedAfter(0, 0)).toBe(true);
  });

  test("that comes early and succeeds makes the next one due at once", () => {
    const { clock, cooldowns, send, tries } = createTrial();
    tries("failure", 5);
    clock.advance(1000);
    send()("success");
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.describe(0)).toMatchObject({ state: "probing", untilMs: 1000 });
  });

  test("may come early once the worker has cooled for a moment, and one at a time", () => {
    const { clock, cooldowns, send, tries } = createTrial();
    clock.advance(70_000);
    expect(cooldowns.mayBeProbedAfter(1000, 0)).toBe(false);
    tries("failure", 5);
    clock.advance(999);
    expect(cooldowns.mayBeProbedAfter(1000, 0)).toBe(false);
    clock.advance(1);
    expect(cooldowns.mayBeProbedAfter(1000, 0)).toBe(true);
    const end = send();
    expect(cooldowns.mayBeProbedAfter(1000, 0)).toBe(false);
    end("neutral");
    expect(cooldowns.mayBeProbedAfter(1000, 0)).toBe(true);
  });

  test("that fails does not count its worker twice among those that cool", () => {
    const { clock, cooldowns, tries } = createDue();
    expect(cooldowns.coolingCount).toBe(1);
    tries("failure", 1);
    expect(cooldowns.coolingCount).toBe(1);
    clock.advance(COOLDOWN_MS);
    tries("success", 2);
    expect(cooldowns.coolingCount).toBe(0);
  });

  test("is not ended by requests that were sent before the cooldown", () => {
    const { clock, cooldowns, send, tries } = createTrial();
    const [one, other] = [send(), send()];
    tries("failure", 5);
    clock.advance(COOLDOWN_MS);
    const end = send();
    one("success");
    other("failure");
    expect(cooldowns.blocks(0)).toBe(true);
    end("success");
    expect(cooldowns.blocks(0)).toBe(false);
  });
});

test("a worker that came back is judged anew", () => {
  const { cooldowns, tries } = createDue();
  tries("success", 2);
  expect(cooldowns.errorRate(0)).toBe(0);
  tries("failure", 4);
  tries("success", 1);
  expect(cooldowns.blocks(0)).toBe(false);
  tries("failure", 5);
  expect(cooldowns.blocks(0)).toBe(true);
});

test("failures of before a short cooldown do not count after it", () => {
  const { cooldowns, tries, clock } = createTrial({ cooldownMs: 1000 });
  for (let round = 0; round < 6; round++) {
    tries("failure", 2);
    tries("success", 1);
  }
  tries("failure", 5);
  clock.advance(1000);
  tries("success", 2);
  expect(cooldowns.isCooling(0)).toBe(false);
  tries("success", 19);
  tries("failure", 1);
  expect(cooldowns.blocks(0)).toBe(false);
});
