import { describe, expect, test } from "vitest";
import type { WaitingClass } from "../../../src/admission/waiting-class.ts";
import { createClass, type Named } from "./waiting-setup.ts";

describe("the order of a class", () => {
  test("is by band first, whoever was served how much", () => {
    const { add, served, takeAll } = createClass();
    served("a", 9000);
    add("b1", { band: 1 });
    add("b4", { band: 4 });
    add("a5", { band: 5 });
    expect(takeAll(100)).toEqual(["a5", "b4", "b1"]);
  });

  test("is, within a band, by who was served least", () => {
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
  test("knows who of those in a band was served least", () => {
    const { within, fairShare, add, served } = createClass();
    served("a", 20);
    served("b", 10);
    const b1 = add("b1");
    add("a1");
    const [alice, bob] = [fairShare.of("a", "m"), fairShare.of("b", "m")];
    expect([within.leastServedIn(3), within.leastServedIn(4)]).toEqual([bob, null]);
    expect([within.hasLineOf(bob, 3), within.hasLineOf(bob, 4)]).toEqual([true, false]);
    within.remove(b1);
    expect([within.leastServedIn(3), within.hasLineOf(bob, 3)]).toEqual([alice, false]);
    expect(bob.lines).toEqual([]);
  });

  test("knows the highest band, and the lowest of which the first of a user has risen so far", () => {
    const { within, add } = createClass();
    expect(within.highestBand).toBe(0);
    const [first, second] = [add("a1", { band: 2 }), add("a2", { band: 2 })];
    add("b4", { band: 4 });
    expect([within.highestBand, within.lowestBandRisenTo(4)]).toEqual([4, 4]);
    within.rise(second, 5);
    expect(within.lowestBandRisenTo(4)).toBe(4);
    within.rise(first, 3);
    expect([within.lowestBandRisenTo(4), within.lowestBandRisenTo(3)]).toEqual([4, 2]);
    within.remove(first);
    expect(within.lowestBandRisenTo(5)).toBe(2);
    within.remove(second);
    expect(within.lowestBandRisenTo(3)).toBe(3);
  });
});

describe("a position", () => {
  const positions = (within: WaitingClass, all: readonly Named[]) =>
    all.map((waiting) => within.positionOf(waiting, [within]));

  test("counts all of higher bands, and within its own as many turns of others as of its own user", () => {
    const { within, add } = createClass();
    const all = [
      add("a1", { band: 4 }),
      add("a2"),
      add("a3"),
      add("a4"),
      add("b1"),
      add("b2"),
      add("c1", { band: 1 }),
    ];
    expect(positions(within, all)).toEqual([1, 2, 4, 6, 3, 5, 7]);
  });

  test("is the place in which it is served, where all requests cost the same", () => {
    const { within, add, takeAll } = createClass();
    const all = ["a1", "b1", "a2", "a3", "c1", "b2", "c2", "c3", "c4"].map((name) => add(name));
    const byPosition = all.toSorted(
      (x, y) => within.positionOf(x, [within]) - within.positionOf(y, [within]),
    );
    expect(positions(within, byPosition)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(takeAll(100)).toEqual(byPosition.map(({ name }) => name));
  });
});

describe("the pace", () => {
  test("is not known before four turns", () => {
    const { within, add } = createClass();
    const [a1, last] = ["a1", "b1", "c1"].map((name) => add(name));
    for (const ms of [0, 100, 200]) within.departed(a1!, ms);
    expect(within.startsInMs(last!, 300, [within])).toBeNull();
    within.departed(a1!, 300);
    expect(within.intervalMs(300)).toBe(100);
    expect(within.startsInMs(last!, 300, [within])).toBe(200);
  });

  test("of a user's own turns, once it is known, tells of those who will be served before", () => {
    const { within, add } = createClass();
    const [a1, , a3] = ["a1", "a2", "a3", "b1"].map((name) => add(name));
    for (const ms of [0, 100, 200, 300]) within.departed(a1!, ms);
    expect(within.startsInMs(a3!, 300, [within])).toBe(3 * 100);
  });

  test("is that of late: what was long ago counts no more", () => {
    const { within, add } = createClass();
    const a1 = add("a1");
    for (let i = 0; i < 10; i++) within.departed(a1, i * 10_000);
    for (let i = 0; i < 64; i++) within.departed(a1, 100_000 + i * 100);
    expect(within.intervalMs(100_000 + 63 * 100)).toBe(100);
  });

  test("slows down while nobody's turn comes", () => {
    const { within, add } = createClass();
    const a1 = add("a1");
    for (const ms of [0, 100, 200, 300]) within.departed(a1, ms);
    expect(within.intervalMs(399)).toBe(100);
    expect(within.intervalMs(4000)).toBe(1000);
  });
});

test("a band that does not exist is a defect", () => {
  const { add } = createClass();
  expect(() => add("a1", { band: 6 })).toThrow("there is no band 6");
});
