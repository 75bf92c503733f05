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

  test("ends at the highest band, where fairness decides", () => {
    const { clock, fairShare, placed, wait, free } = createQueue();
    fairShare.charge(fairShare.of("a"));
    wait("a1", { band: 5 });
    clock.advance(8 * STEP_MS);
    wait("b1", { band: 5 });
    fairShare.of("b").served = 0;
    wait("b2", { band: 5 });
    free(2);
    expect(placed).toEqual(["b1", "a1"]);
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
    fairShare.settle(fairShare.of("a"), 500, { promptTokens: 0, completionTokens: 750 });
    queue.reorder(fairShare.of("a"));
    free(5);
    expect(placed).toEqual(["a1", "b1", "b2", "b3", "a2", "b4"]);
  });

  test("lets nobody who was away go before all others until they have caught up", () => {
    const { placed, wait, free } = createQueue();
    for (let i = 0; i < 10; i++) wait("a1");
    free(6);
    for (let i = 0; i < 4; i++) wait("b1");
    free(6);
    expect(placed.slice(6)).toEqual(["a1", "b1", "a1", "b1", "a1", "b1"]);
  });

  test("counts no time at a lower band as a debt to those of the higher", () => {
    const { clock, placed, wait, free } = createQueue();
    for (let i = 0; i < 4; i++) wait("a1", { band: 4 });
    for (let i = 0; i < 20; i++) wait("b1", { band: 5 });
    free(10);
    clock.advance(STEP_MS);
    free(6);
    expect(placed.slice(10).toSorted()).toEqual(["a1", "a1", "a1", "b1", "b1", "b1"]);
  });

  test("counts no wait for workers that are down as a debt of those who use others", () => {
    const { placed, wait, free } = createQueue();
    wait("c1", { classKey: "down", model: "n", place: () => "no_slot" });
    for (let i = 0; i < 10; i++) wait("a1");
    free(6);
    for (let i = 0; i < 4; i++) wait("b1");
    free(6);
    expect(placed.slice(6)).toEqual(["a1", "b1", "a1", "b1", "a1", "b1"]);
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

  test("says with the pace of late when the turn will come", () => {
    const { clock, wait, free } = createQueue();
    for (const name of ["a1", "b1"]) wait(name);
    const last = [wait("c1"), wait("d1")][1]!;
    expect(last.startsInMs()).toBeNull();
    free();
    clock.advance(2000);
    free();
    expect(last.startsInMs()).toBe(2 * 2000);
    last.leave();
    expect(last.startsInMs()).toBeNull();
  });
});
