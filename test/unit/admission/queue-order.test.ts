import { describe, expect, test } from "vitest";
import { createQueue } from "./queue-setup.ts";

const STEP_MS = 30_000;

describe("bands", () => {
  test("are strict within a step: the higher goes first, whenever it came", () => {
    const { clock, placed, wait, free } = createQueue();
    for (const band of [1, 2, 3, 4]) wait(`a${band}`, { band });
    clock.advance(STEP_MS - 200);
    for (const band of [2, 5, 3]) wait(`b${band}`, { band });
    free(20);
    expect(placed).toEqual(["b5", "a4", "a3", "b3", "a2", "b2", "a1"]);
  });

  test("count those who wait by what they asked for, also after they rose", () => {
    const { clock, queue, wait } = createQueue();
    wait("a1", { band: 1 });
    clock.advance(3 * STEP_MS);
    expect([1, 4].map((band) => queue.sizeOfBand(band))).toEqual([1, 0]);
  });
});

describe("ageing", () => {
  /** How long a request of band 1 is passed over by newcomers of the band. */
  function passedOverMs(band: number, deadlineAtMs: number): number {
    const { clock, placed, wait, free } = createQueue();
    wait("a1", { band: 1, deadlineAtMs });
    for (let i = 0; placed.at(-1) !== "a1"; i++) {
      clock.advance(500);
      wait("b1", { band });
      free();
      // b was served more, so that a goes first as soon as it has risen to the band of b.
      if (i > 1000) throw new Error("it is never served");
    }
    return clock.now();
  }

  test("lifts a request by one band per step", () => {
    const stepsOf = [2, 3, 4, 5].map((band) => passedOverMs(band, 600_000) / STEP_MS);
    expect(stepsOf).toEqual([1, 2, 3, 4]);
  });

  test("takes a sixth of the wait for a step where that is shorter", () => {
    expect(passedOverMs(3, 60_000)).toBe(2 * 10_000);
  });

  test("counts from when the request was accepted, so that a further attempt keeps its age", () => {
    const { clock, placed, wait, free } = createQueue();
    clock.advance(2 * STEP_MS);
    wait("b1", { band: 4 });
    wait("a1", { band: 3, acceptedAtMs: 0 });
    free(2);
    expect(placed).toEqual(["a1", "b1"]);
  });

  test("takes no more than every other turn from the higher band", () => {
    const { clock, placed, wait, free } = createQueue();
    for (let i = 0; i < 10; i++) wait("a1", { band: 1 });
    clock.advance(4 * STEP_MS);
    for (let i = 0; i < 10; i++) wait("b1", { band: 5 });
    free(6);
    expect(placed).toEqual(["a1", "b1", "a1", "b1", "a1", "b1"]);
  });

  test("lets a user's own urgent requests wait behind no backlog of theirs", () => {
    const { clock, placed, wait, free } = createQueue();
    for (let i = 0; i < 10; i++) wait("a1", { band: 1 });
    clock.advance(8 * STEP_MS);
    for (let i = 0; i < 2; i++) wait("a5", { band: 5 });
    free(4);
    expect(placed).toEqual(["a1", "a5", "a1", "a5"]);
  });

  test("gives an old backlog no turn before others of its band", () => {
    const { clock, placed, wait, free } = createQueue();
    for (let i = 0; i < 10; i++) wait("a1", { band: 3 });
    free();
    clock.advance(8 * STEP_MS);
    for (const name of ["b1", "c1", "d1"]) wait(name, { band: 3 });
    free(4);
    expect(placed.slice(1).toSorted()).toEqual(["a1", "b1", "c1", "d1"]);
    wait("e5", { band: 5 });
    free(2);
    expect(placed.slice(5)).toEqual(["e5", "a1"]);
  });
});

describe("fairness", () => {
  test("gives users their turns, however many requests one of them has", () => {
    const { placed, wait, free } = createQueue();
    for (const name of ["a1", "a2", "a3", "a4", "b1", "c1", "c2"]) wait(name);
    free(20);
    expect(placed).toEqual(["a1", "b1", "c1", "a2", "c2", "a3", "a4"]);
  });

  test("goes by work: who costs more has fewer turns", () => {
    const { fairShare, queue, placed, wait, free } = createQueue();
    for (const i of [1, 2, 3, 4]) wait(`a${i}`);
    for (const i of [1, 2, 3, 4]) wait(`b${i}`);
    free();
    fairShare.settle(fairShare.of("a", "m"), 500, { promptTokens: 0, completionTokens: 750 });
    queue.reorder(fairShare.of("a", "m"));
    free(5);
    expect(placed).toEqual(["a1", "b1", "b2", "b3", "a2", "b4"]);
  });

  /** Turns of b among the next ones, when a has had 200 of them alone, ten a second. */
  function turnsOfB(others: readonly string[], turns: number): number[] {
    const { clock, placed, wait, free } = createQueue();
    const step = (): void => {
      clock.advance(100);
      free();
    };
    for (const name of others) wait(name, { classKey: "down", place: () => "no_slot" });
    for (let i = 0; i < 500; i++) wait("a1");
    for (let i = 0; i < 200; i++) step();
    for (let i = 0; i < 300; i++) wait("b1");
    return Array.from({ length: 3 }, () => {
      for (let i = 0; i < turns; i++) step();
      return placed.slice(-turns).filter((name) => name === "b1").length;
    });
  }

  test("gives who was away a head start of ten seconds, and an equal share from then on", () => {
    expect(turnsOfB([], 100)).toEqual([100, 50, 50]);
  });

  test("counts no wait for workers that are down as a debt of those who use others", () => {
    expect(turnsOfB(["c1"], 100)).toEqual([100, 50, 50]);
  });
});

describe("what a user was served", () => {
  test("is remembered while they wait, however many others come, and not for ever", () => {
    const { fairShare, wait } = createQueue();
    const waiter = wait("a1");
    const account = fairShare.of("a", "m");
    const others = (prefix: string) => {
      for (let i = 0; i < 10_000; i++) fairShare.of(`${prefix}${i}`, "m");
    };
    others("b");
    expect(fairShare.of("a", "m")).toBe(account);
    waiter.leave();
    others("c");
    expect(fairShare.of("a", "m")).not.toBe(account);
  });

  test("counts in every band where they wait, as soon as it has changed in one", () => {
    const { fairShare, placed, wait, free } = createQueue();
    fairShare.of("c", "m").served = 5000;
    fairShare.of("b", "m").served = 1000;
    wait("c5", { band: 5 });
    wait("a3");
    wait("b3");
    const urgent = wait("a5", { band: 5 });
    urgent.leave();
    free(2);
    expect(placed).toEqual(["c5", "b3"]);
  });

  test("is lifted for who comes new, also when very many turns came at one moment", () => {
    const { placed, wait, free } = createQueue({ maxRequests: 10_000 });
    for (let i = 0; i < 2000; i++) wait("a1", { bytes: 0 });
    free(1500);
    for (let i = 0; i < 1500; i++) wait("b1", { bytes: 0 });
    free(1100);
    expect(placed.slice(1500).filter((name) => name === "a1")).toHaveLength(50);
  });
});

describe("a position", () => {
  test("goes down to 1 as others are served, and is null once it is over", () => {
    const { wait, free } = createQueue();
    const waiters = ["a1", "a2", "b1", "c1", "c2"].map((name) => wait(name));
    const seen = [waiters.map((waiter) => waiter.position())];
    for (let i = 0; i < 5; i++) {
      free();
      seen.push(waiters.map((waiter) => waiter.position()));
    }
    expect(seen).toEqual([
      [1, 4, 2, 3, 5],
      [null, 3, 1, 2, 4],
      [null, 2, null, 1, 3],
      [null, 1, null, null, 2],
      [null, null, null, null, 1],
      [null, null, null, null, null],
    ]);
  });

  test("counts those who wait for the same model by another path", () => {
    const { wait, free } = createQueue();
    for (const name of ["a1", "b1", "c1"]) wait(name);
    const other = wait("d1", { classKey: "other path" });
    const elsewhere = wait("d1", { classKey: "other model", model: "n" });
    expect([other.position(), elsewhere.position()]).toEqual([4, 1]);
    free(2);
    expect(other.position()).toBe(2);
  });

  test("says with the pace of late when the turn will come", () => {
    const { clock, wait, free } = createQueue();
    for (const name of ["a1", "b1", "c1", "d1", "e1"]) wait(name);
    const last = wait("f1");
    expect(last.startsInMs()).toBeNull();
    for (let i = 0; i < 4; i++) {
      free();
      if (i < 3) clock.advance(2000);
    }
    expect(last.startsInMs()).toBe(2 * 2000);
    last.leave();
    expect(last.startsInMs()).toBeNull();
  });
});
