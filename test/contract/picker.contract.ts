import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../src/routing/random.ts";
import type { Candidate, Picker } from "../../src/routing/stages.ts";
import { shuffled } from "../support/fleet-arbitraries.ts";
import { candidate, poolOf, serving } from "../support/routing-builders.ts";

/** Few different figures, so that ties occur. */
const anyCandidates: fc.Arbitrary<readonly Candidate[]> = fc
  .uniqueArray(
    fc.record({
      index: fc.nat(300),
      score: fc.constantFrom(0, 0.5, 0.51, 1),
      cost: fc.constantFrom(0.2, 1, 1, 50_000),
      n: fc.constantFrom(0, 1, 1, 1000.5),
    }),
    { minLength: 1, maxLength: 64, selector: ({ index }) => index },
  )
  .map((items) => items.map(({ index, ...figures }) => candidate(serving(index), figures)));

/** What the framework relies on, however a picker chooses. */
export function describePicker(make: () => Picker): void {
  describe(`the picker ${make().name}`, () => {
    test("takes a member of the pool", () => {
      fc.assert(
        fc.property(anyCandidates, fc.integer(), (candidates, seed) => {
          expect(candidates).toContain(make().pick(poolOf(candidates), new Random(seed)));
        }),
      );
    });

    test("takes the same one in whatever order they come", () => {
      const orders = anyCandidates.chain((all) => fc.tuple(fc.constant(all), shuffled(all)));
      fc.assert(
        fc.property(orders, fc.integer(), ([candidates, reordered], seed) => {
          const picker = make();
          const chosen = picker.pick(poolOf(candidates), new Random(seed));
          expect(picker.pick(poolOf(reordered), new Random(seed))).toBe(chosen);
        }),
      );
    });

    test("does not remember whom it picked for a dry run", () => {
      fc.assert(
        fc.property(anyCandidates, anyCandidates, fc.integer(), (candidates, others, seed) => {
          const asked = make();
          asked.pick(poolOf(others), new Random(seed));
          expect(asked.pick(poolOf(candidates), new Random(seed))).toBe(
            make().pick(poolOf(candidates), new Random(seed)),
          );
        }),
      );
    });

    test("still takes a member after a worker that it picked has left", () => {
      fc.assert(
        fc.property(anyCandidates, fc.nat(300), fc.integer(), (candidates, gone, seed) => {
          const picker = make();
          picker.picked?.(serving(gone));
          expect(candidates).toContain(picker.pick(poolOf(candidates), new Random(seed)));
        }),
      );
    });

    test("gives each of several equal workers its turn", () => {
      const equals = [9, 4, 0, 120, 7].map((index) => candidate(serving(index)));
      const picker = make();
      const random = new Random(1);
      const taken = new Set<Candidate>();
      for (let turn = 0; turn < 200; turn++) {
        const { worker } = picker.pick(poolOf(equals), random);
        picker.picked?.(worker);
        taken.add(equals.find((equal) => equal.worker === worker)!);
      }
      expect(taken.size).toBe(equals.length);
    });
  });
}
