import { describe, expect, test } from "vitest";
import { Parked } from "../../../src/admission/parked.ts";
import { createClass } from "./waiting-setup.ts";

function createCase() {
  const { within, fairShare, add, first } = createClass();
  const other = createClass();
  const parked = new Parked();
  const alice = fairShare.of("a", "m");
  return { within, other, parked, alice, add, first };
}

describe("a parked user", () => {
  test("is passed over, with what comes later, until a slot is free on what they hold", () => {
    const { within, parked, alice, add, first } = createCase();
    add("a1");
    add("b1");
    parked.park(alice, within, [4, 5]);
    add("a2", { band: 5 });
    expect(first()).toBe("b1");
    expect(parked.releaseOn(3)).toBe(false);
    expect(first()).toBe("b1");
    expect(parked.releaseOn(5)).toBe(true);
    expect(first()).toBe("a2");
  });

  test("is passed over only in the class where their limit is in the way", () => {
    const { within, other, parked, alice, add, first } = createCase();
    add("a1");
    other.within.add({
      account: alice,
      acceptedAtMs: 0,
      sequence: 1,
      band: 3,
      level: 3,
      previous: null,
      next: null,
    });
    parked.park(alice, within, [4]);
    expect(first()).toBeUndefined();
    expect(other.within.firstIn(3)?.account).toBe(alice);
  });

  test("stays out of the order when they leave, rise or are served elsewhere", () => {
    const { within, parked, alice, add, first } = createCase();
    const [one] = [add("a1"), add("a2")];
    parked.park(alice, within, [4]);
    within.remove(one);
    for (const line of alice.lines) line.show();
    expect(first()).toBeUndefined();
    expect(within.size).toBe(1);
    parked.releaseOn(4);
    expect(first()).toBe("a2");
  });

  test("makes nobody rise while they are parked", () => {
    const { within, parked, alice, add } = createCase();
    const old = add("a1", { band: 1 });
    add("b1", { band: 1 });
    parked.park(alice, within, [4]);
    within.rise(old, 5);
    expect(within.lowestBandRisenTo(5)).toBe(5);
    parked.releaseOn(4);
    expect(within.lowestBandRisenTo(5)).toBe(1);
    parked.park(alice, within, [4]);
    expect(within.lowestBandRisenTo(5)).toBe(5);
  });

  test("is back when all are released", () => {
    const { within, parked, alice, add, first } = createCase();
    add("a1");
    parked.park(alice, within, [4, 5]);
    parked.releaseAll();
    expect(first()).toBe("a1");
    expect(parked.releaseOn(4)).toBe(false);
  });

  test("may have nothing left to wait for when they are released", () => {
    const { within, parked, alice, add, first } = createCase();
    const one = add("a1");
    parked.park(alice, within, [4]);
    within.remove(one);
    expect(parked.releaseOn(4)).toBe(true);
    expect(first()).toBeUndefined();
    expect(within.size).toBe(0);
  });
});
