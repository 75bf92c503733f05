import { describe, expect, test } from "vitest";
import { best } from "../../../../src/routing/pickers/best.ts";
import { highestScore } from "../../../../src/routing/pickers/highest-score.ts";
import { powerOfTwo } from "../../../../src/routing/pickers/power-of-two.ts";
import { createRoundRobin } from "../../../../src/routing/pickers/round-robin.ts";
import { Random } from "../../../../src/routing/random.ts";
import type { Candidate, Picker } from "../../../../src/routing/stages.ts";
import { candidate, poolOf, serving } from "../../../support/routing-builders.ts";

const among = (figures: readonly Partial<Candidate>[]): Candidate[] =>
  figures.map((changes, index) => candidate(serving(index), changes));

/** How often each index is picked, out of `draws`, when really used. */
function tally(picker: Picker, candidates: readonly Candidate[], draws: number): number[] {
  const random = new Random(1);
  const counts = candidates.map(() => 0);
  for (let draw = 0; draw < draws; draw++) {
    const { worker } = picker.pick(poolOf(candidates), random);
    picker.picked?.(worker);
    counts[worker.index] = (counts[worker.index] ?? 0) + 1;
  }
  return counts;
}

describe("best", () => {
  test("takes the highest score, whatever it costs", () => {
    expect(tally(best, among([{ score: 0.8 }, { score: 0.9, cost: 9 }]), 20)).toEqual([0, 20]);
  });

  test("takes the lowest cost of those within 0.05 of the highest score", () => {
    const near = among([
      { score: 0.9, cost: 3 },
      { score: 0.851, cost: 2 },
      { score: 0.849, cost: 1 },
    ]);
    expect(tally(best, near, 20)).toEqual([0, 20, 0]);
  });

  test("spreads those of equal cost at random", () => {
    const counts = tally(best, among([{}, {}, {}, { cost: 2 }]), 3000);
    expect(counts[3]).toBe(0);
    for (const count of counts.slice(0, 3)) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("highest_score", () => {
  test("takes the highest score, however near the others are and whatever they cost", () => {
    const near = among([{ score: 0.9, cost: 3 }, { score: 0.899, cost: 2 }, { score: 0.5 }]);
    expect(tally(highestScore, near, 20)).toEqual([20, 0, 0]);
  });

  test("spreads exact ties at random, whatever they cost", () => {
    const counts = tally(highestScore, among([{ cost: 9 }, {}, { cost: 2 }]), 3000);
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("power_of_two", () => {
  test("takes the one with fewer requests of two drawn, so the fullest never wins", () => {
    const counts = tally(powerOfTwo, among([{ n: 3 }, { n: 0 }, { n: 1 }, { n: 2 }]), 6000);
    // Of the six pairs, three have the idlest, two the second, one the third.
    [0, 3000, 2000, 1000].forEach((expected, index) =>
      expect(Math.abs(counts[index]! - expected)).toBeLessThan(200),
    );
  });

  test("asks the number of requests, not score or cost", () => {
    const counts = tally(powerOfTwo, among([{ n: 1, score: 1, cost: 1 }, { cost: 9 }]), 20);
    expect(counts).toEqual([0, 20]);
  });

  test("takes the only one", () => {
    expect(tally(powerOfTwo, among([{ n: 9 }]), 3)).toEqual([3]);
  });
});

describe("round_robin", () => {
  const indices = [0, 1, 2, 3, 4, 5];
  const fleet = indices.map((index) => candidate(serving(index)));
  const some = (...which: number[]) => poolOf(fleet.filter((_, index) => which.includes(index)));
  const random = new Random(1);

  /** Picks and uses, as a request does. */
  const take = (picker: Picker, ...which: number[]): number => {
    const { worker } = picker.pick(some(...which), random);
    picker.picked?.(worker);
    return worker.index;
  };

  test("gives each worker its turn", () => {
    expect(tally(createRoundRobin(), fleet, 12)).toEqual([2, 2, 2, 2, 2, 2]);
    const picker = createRoundRobin();
    expect([0, 1, 2, 3].map(() => take(picker, 0, 1, 2))).toEqual([0, 1, 2, 0]);
  });

  test("goes on where it was when workers come and go", () => {
    const picker = createRoundRobin();
    expect(take(picker, 0, 1, 3)).toBe(0);
    expect(take(picker, 0, 1, 3)).toBe(1);
    expect(take(picker, 0, 1, 2, 3)).toBe(2);
    expect(take(picker, 0, 1, 2)).toBe(0);
    expect(take(picker, 4, 5)).toBe(4);
    expect(take(picker, 0, 5)).toBe(5);
    expect(take(picker, 0, 5)).toBe(0);
  });

  test("has a turn of its own in each strategy", () => {
    const [one, other] = [createRoundRobin(), createRoundRobin()];
    expect(take(one, 0, 1)).toBe(0);
    expect(take(other, 0, 1)).toBe(0);
    expect(take(one, 0, 1)).toBe(1);
  });
});
