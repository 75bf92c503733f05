import { describe, expect, test } from "vitest";
import { firstOf, type WaitingClass } from "../../../src/admission/waiting-class.ts";
import { createClass, type Named } from "./waiting-setup.ts";

describe("the order of a class", () => {
  test("is by level first, whoever was served how much", () => {
    const { add, served, takeAll } = createClass();
    served("a", 9000);
    add("b1", { level: 1 });
    add("b4", { level: 4 });
    add("a5", { level: 5 });
    expect(takeAll(100)).toEqual(["a5", "b4", "b1"]);
  });

  test("is, within a level, by who was served least", () => {
    const { add, served, takeAll } = createClass();
    served("a", 20);
    served("b", 10);
    add("a1");
    add("b1");
    add("c1");
    expect(takeAll(100)).toEqual(["c1", "b1", "a1"]);
  });

  test("is first come first served between users who were served alike", () => {
    const { add, takeAll } = createClass();
    add("a1", { acceptedAtMs: 5 });
    add("b1", { acceptedAtMs: 4 });
    add("c1", { acceptedAtMs: 5 });
    expect(takeAll(100)).toEqual(["b1", "a1", "c1"]);
  });

  test("takes turns between users, however many requests one of them has", () => {
    const { add, takeAll } = createClass();
    for (const name of ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]) add(name);
    expect(takeAll(100)).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  });

  test("is first come first served within a user, then by sequence", () => {
    const { add, takeAll } = createClass();
    add("a1", { acceptedAtMs: 7 });
    add("a2", { acceptedAtMs: 6 });
    add("a3", { acceptedAtMs: 6 });
    expect(takeAll(100)).toEqual(["a2", "a3", "a1"]);
  });

  test("stays right when anyone leaves from anywhere", () => {
    const { within, add, takeAll } = createClass();
    const [, a2] = [add("a1"), add("a2"), add("a3")];
    const b1 = add("b1", { acceptedAtMs: -1 });
    within.remove(b1);
    within.remove(a2);
    expect(within.size).toBe(2);
    expect(takeAll()).toEqual(["a1", "a3"]);
    expect(within.size).toBe(0);
  });

  test("follows who is first of a user's: with the old one gone the next in turn is another's", () => {
    const { within, add, takeAll } = createClass();
    const old = add("a1", { acceptedAtMs: 1 });
    add("b1", { acceptedAtMs: 2 });
    add("a2", { acceptedAtMs: 3 });
    within.remove(old);
    expect(takeAll()).toEqual(["b1", "a2"]);
  });
});

describe("a class", () => {
  test("knows who waits at a level, and the least that any of them was served", () => {
    const { within, fairShare, add, served } = createClass();
    served("a", 20);
    served("b", 10);
    const b1 = add("b1");
    add("a1");
    expect(within.leastServedAt(3)).toBe(10);
    expect(within.leastServedAt(4)).toBeNull();
    expect(within.hasLineOf(fairShare.of("b"), 3)).toBe(true);
    expect(within.hasLineOf(fairShare.of("b"), 4)).toBe(false);
    within.remove(b1);
    expect(within.leastServedAt(3)).toBe(20);
    expect(within.hasLineOf(fairShare.of("b"), 3)).toBe(false);
    expect(fairShare.of("b").lines).toEqual([]);
  });
});

describe("a position", () => {
  const positions = (within: WaitingClass, all: readonly Named[]) =>
    all.map((waiting) => within.positionOf(waiting));

  test("counts all above, and within the level as many turns of others as of its own user", () => {
    const { within, add } = createClass();
    const all = [
      add("a1", { level: 5 }),
      add("a2"),
      add("a3"),
      add("a4"),
      add("b1"),
      add("b2"),
      add("c1", { level: 1 }),
    ];
    expect(positions(within, all)).toEqual([1, 2, 4, 6, 3, 5, 7]);
  });

  test("is the place in which it is served, where all requests cost the same", () => {
    const { within, add, takeAll } = createClass();
    const all = ["a1", "b1", "a2", "a3", "c1", "b2", "c2", "c3", "c4"].map((name) => add(name));
    const byPosition = all.toSorted((x, y) => within.positionOf(x) - within.positionOf(y));
    expect(positions(within, byPosition)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(takeAll(100)).toEqual(byPosition.map(({ name }) => name));
  });
});

describe("the pace of a class", () => {
  test("is not known before two turns", () => {
    const { within } = createClass();
    expect(within.startsInMs(1, 0)).toBeNull();
    within.departed(0);
    expect(within.startsInMs(1, 100)).toBeNull();
    within.departed(100);
    expect(within.startsInMs(3, 100)).toBe(300);
  });

  test("is that of late: what was long ago counts no more", () => {
    const { within } = createClass();
    for (let i = 0; i < 10; i++) within.departed(i * 10_000);
    for (let i = 0; i < 64; i++) within.departed(100_000 + i * 100);
    expect(within.startsInMs(1, 100_000 + 63 * 100)).toBe(100);
  });

  test("slows down while nobody's turn comes", () => {
    const { within } = createClass();
    within.departed(0);
    within.departed(100);
    expect(within.startsInMs(1, 150)).toBe(100);
    expect(within.startsInMs(1, 2000)).toBe(1000);
  });
});

test("between classes the higher level goes first, then who was served less, then who came first", () => {
  const [one, other] = [createClass(), createClass()];
  const next = () => (firstOf([one.within, other.within]) as Named | undefined)?.name;
  expect(next()).toBeUndefined();
  one.add("a1", { acceptedAtMs: 1 });
  expect(next()).toBe("a1");
  other.add("b1");
  expect(next()).toBe("b1");
  one.served("c", -1);
  one.add("c1");
  expect(next()).toBe("c1");
  other.served("d", 9000);
  other.add("d1", { level: 4 });
  expect(next()).toBe("d1");
});

test("a level that does not exist is a defect", () => {
  const { add } = createClass();
  expect(() => add("a1", { level: 6 })).toThrow("there is no level 6");
});
