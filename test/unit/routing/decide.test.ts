import { describe, expect, test } from "vitest";
import { decide, MAX_CANDIDATES } from "../../../src/routing/decide.ts";
import { Random } from "../../../src/routing/random.ts";
import { clampScore } from "../../../src/routing/scores.ts";
import type { Scorer, Strategy } from "../../../src/routing/stages.ts";
import { gpu } from "../../support/fleet-builders.ts";
import { fleetOf, questionOf, serving, viewOf } from "../../support/routing-builders.ts";
import { pipeline } from "../../support/routing-entries.ts";

describe("a score", () => {
  test("is clamped to 0..1, and NaN counts as 0", () => {
    expect([-3, 0, 0.3, 1, 7, Infinity, NaN].map(clampScore)).toEqual([0, 0, 0.3, 1, 1, 1, 0]);
  });

  test("cannot shout down the others' weights", () => {
    const shouting: Scorer = { name: "shouting", scope: "moment", score: () => 1000 };
    const broken: Scorer = { name: "broken", scope: "snapshot", score: () => NaN };
    const strategy: Strategy = {
      ...pipeline(),
      scorers: [
        { scorer: shouting, weight: 0.25 },
        { scorer: broken, weight: 0.75 },
      ],
    };
    const { pool } = decide(questionOf([serving(0)], {}, { strategy }));
    expect(pool.candidates[0]?.score).toBe(0.25);
  });
});

describe("a candidate's cost", () => {
  const costOf = (moment: object, worker = {}) =>
    decide(questionOf([serving(0, worker)], moment)).pool.candidates[0]?.cost;

  test("is (n + 1) ÷ speed, where n is our leases and what others have there", () => {
    expect(costOf({})).toBe(1);
    expect(costOf({ own: { 0: 3 } })).toBe(4);
    expect(costOf({ own: { 0: 3 }, speeds: { 0: 2 } })).toBe(2);
    const load = { active: 5, ownAtPoll: 2, receivedAtMs: 0 };
    expect(costOf({ own: { 0: 3 } }, { load })).toBe(7);
  });

  test("is higher where the model must be loaded first", () => {
    expect(costOf({}, { loadedModels: new Set(["m"]) })).toBe(1);
    expect(costOf({}, { loadedModels: new Set() })).toBe(4);
  });
});

describe("hybrid", () => {
  test("adds up its four scores by the configured weights", () => {
    const cool = serving(0);
    const warm = serving(1, { gpus: [gpu("a", { temperatureC: 70 })], gpuIds: ["a"] });
    const moment = { own: { 0: 3 }, speeds: { 0: 2, 1: 1 } };
    const { pool } = decide(questionOf([cool, warm], moment, { request: { band: 5 } }));
    const [first, second] = pool.candidates;
    // usage 1/2, priority 1, performance 2/3, health 1
    expect(first?.score).toBeCloseTo(0.4 / 2 + 0.3 + (0.2 * 2) / 3 + 0.1);
    // usage 1/1, priority 1/2, performance 1/2, health 1/2
    expect(second?.score).toBeCloseTo(0.4 + 0.3 / 2 + 0.2 / 2 + 0.1 / 2);
  });

  test("sends the next request elsewhere as soon as the first holds its slot", () => {
    const workers = [serving(0), serving(1)];
    const { worker } = decide(questionOf(workers));
    const own = { [worker!.index]: 1 };
    expect(decide(questionOf(workers, { own })).worker).not.toBe(worker);
  });
});

test("near ties go to the lowest cost", () => {
  const strategy = pipeline({ scorers: { performance: 1 } });
  const moment = { speeds: { 0: 1.02, 1: 1 }, own: { 0: 1 } };
  const chosen = decide(questionOf([serving(0), serving(1)], moment, { strategy })).worker;
  expect(chosen?.index).toBe(1);
});

describe(`above ${MAX_CANDIDATES} workers`, () => {
  const workers = Array.from({ length: 200 }, (_, index) => serving(index));
  const view = viewOf(fleetOf(workers));
  const poolsOf = (draws: number, moment = {}) => {
    const question = questionOf([], {}, { random: new Random(1) });
    const seen = { ...view, ...viewOf(view.snapshot, moment) };
    return Array.from({ length: draws }, () => decide({ ...question, view: seen }).pool.candidates);
  };

  test("a decision scores that many different ones", () => {
    for (const candidates of poolsOf(50)) {
      expect(candidates).toHaveLength(MAX_CANDIDATES);
      expect(new Set(candidates.map(({ worker }) => worker)).size).toBe(MAX_CANDIDATES);
    }
  });

  test(`with ${MAX_CANDIDATES} of them, it scores all`, () => {
    const exactly = workers.slice(0, MAX_CANDIDATES);
    const { pool } = decide(questionOf(exactly));
    expect(pool.candidates.map(({ worker }) => worker)).toEqual(exactly);
  });

  test("each is drawn about as often as any other", () => {
    const counts = workers.map(() => 0);
    const draws = 2000;
    for (const candidates of poolsOf(draws)) {
      for (const { worker } of candidates) counts[worker.index] = counts[worker.index]! + 1;
    }
    const expected = (draws * MAX_CANDIDATES) / workers.length;
    for (const count of counts) expect(Math.abs(count - expected)).toBeLessThan(expected * 0.25);
  });

  test("full ones do not use up the sample", () => {
    const own = Object.fromEntries(workers.map(({ index }) => [index, index % 2 ? 256 : 0]));
    for (const candidates of poolsOf(50, { own })) {
      expect(candidates).toHaveLength(MAX_CANDIDATES);
      expect(candidates.every(({ worker }) => worker.index % 2 === 0)).toBe(true);
    }
  });

  test("the whole fleet is searched for the few that are free", () => {
    const busy = Object.fromEntries(workers.map(({ index }) => [index, 256]));
    for (const candidates of poolsOf(50, { own: { ...busy, 3: 0, 77: 0, 199: 0 } })) {
      const free = candidates.map(({ worker }) => worker.index);
      expect(free.toSorted((a, b) => a - b)).toEqual([3, 77, 199]);
    }
  });
});
