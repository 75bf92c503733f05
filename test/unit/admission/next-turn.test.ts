import { describe, expect, test } from "vitest";
import { nextTurn } from "../../../src/admission/next-turn.ts";
import { createClass, type Named } from "./waiting-setup.ts";

function createClasses() {
  const [one, other] = [createClass(), createClass()];
  const turn = () => nextTurn([one.within, other.within]);
  const next = () => (turn()?.waiting as Named | undefined)?.name;
  return { one, other, turn, next };
}

describe("between classes the next turn", () => {
  test("is nobody's where nobody waits", () => {
    expect(createClasses().next()).toBeUndefined();
  });

  test("is that of the highest band, then of who was served less, then of who came first", () => {
    const { one, other, next } = createClasses();
    one.add("a1", { acceptedAtMs: 1 });
    other.add("b1");
    expect(next()).toBe("b1");
    one.served("c", -1);
    one.add("c1");
    expect(next()).toBe("c1");
    other.served("d", 9000);
    other.add("d1", { band: 4 });
    expect(next()).toBe("d1");
  });
});

describe("once somebody has risen to the highest band that waits", () => {
  test("the turn goes to who was served least of all bands from theirs on, risen or not", () => {
    const { one, other, turn, next } = createClasses();
    one.served("a", 10);
    other.served("b", 20);
    one.served("d", 5);
    const a1 = one.add("a1", { band: 2 });
    other.add("b1", { band: 4 });
    expect([next(), turn()?.isFair]).toEqual(["b1", false]);
    one.within.rise(a1, 4);
    expect([next(), turn()?.isFair]).toEqual(["a1", true]);
    other.add("c1", { band: 3 });
    expect(next()).toBe("c1");
    one.add("d1", { band: 1 });
    expect(next()).toBe("c1");
  });

  test("the turn after it is the highest band's", () => {
    const { one, other, turn, next } = createClasses();
    other.served("b", 20);
    const a1 = one.add("a1", { band: 2 });
    other.add("b1", { band: 4 });
    one.within.rise(a1, 5);
    one.within.hadFairTurn = true;
    expect([next(), turn()?.isFair]).toEqual(["b1", false]);
  });

  test("a user with an old backlog does not go before others of the same band", () => {
    const { one, turn, next } = createClasses();
    one.served("a", 20);
    const a1 = one.add("a1", { acceptedAtMs: -90_000 });
    one.within.rise(a1, 5);
    one.add("b1");
    expect([next(), turn()?.isFair]).toEqual(["b1", false]);
  });
});
