import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random, shuffleRank } from "../../../src/routing/random.ts";

const draws = (random: Random, count: number) =>
  Array.from({ length: count }, () => random.nextUint32());

describe("the generator", () => {
  test("repeats itself from its seed, and from a state that was kept", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const first = draws(random, 5);
        const { state } = random;
        const next = draws(random, 5);
        expect(draws(new Random(seed), 5)).toEqual(first);
        expect(draws(new Random(state), 5)).toEqual(next);
      }),
    );
  });

  test("differs from seed to seed", () => {
    expect(draws(new Random(1), 3)).not.toEqual(draws(new Random(2), 3));
  });

  test("is even over [0, 1)", () => {
    const random = new Random(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 10_000; draw++) {
      const value = random.next();
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      const tenth = Math.floor(value * 10);
      counts[tenth] = counts[tenth]! + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("a shuffle's rank", () => {
  test("is another one for each worker, so that no tie is left to the order", () => {
    fc.assert(
      fc.property(fc.nat(), (draw) => {
        const ranks = Array.from({ length: 200 }, (_, index) => shuffleRank(index, draw));
        expect(new Set(ranks).size).toBe(200);
      }),
    );
  });

  test("puts each worker first about as often as any other", () => {
    const random = new Random(1);
    const counts = [0, 0, 0, 0, 0];
    for (let round = 0; round < 5000; round++) {
      const draw = random.nextUint32();
      const ranks = counts.map((_, index) => shuffleRank(index, draw));
      const first = ranks.indexOf(Math.min(...ranks));
      counts[first] = counts[first]! + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
