import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Worker } from "../../src/fleet/worker.ts";
import { decide, MAX_CANDIDATES } from "../../src/routing/decide.ts";
import { explain } from "../../src/routing/explain.ts";
import { clampScore } from "../../src/routing/scores.ts";
import { Random } from "../../src/routing/random.ts";
import type { Strategy } from "../../src/routing/stages.ts";
import { anyMoment, anyRequest, anyWorkers, shuffled } from "../support/fleet-arbitraries.ts";
import { fleetOf, questionOf, serving, viewOf } from "../support/routing-builders.ts";

const anyCase = fc.record({
  workers: anyWorkers,
  moment: anyMoment,
  request: anyRequest,
  seed: fc.integer(),
});

const MANY = 10_000;
const manyWorkers = Array.from({ length: MANY }, (_, index) => serving(index, { slots: 1 }));
const manyFleet = fleetOf(manyWorkers);

/** What dispatch relies on, whatever pipeline an operator writes. */
export function describeStrategy(name: string, make: () => Strategy): void {
  describe(`the strategy ${name}`, () => {
    test("chooses nobody of no worker", () => {
      expect(decide(questionOf([], {}, { strategy: make() })).worker).toBeNull();
    });

    test("chooses the only worker", () => {
      const worker = serving(7);
      expect(decide(questionOf([worker], {}, { strategy: make() })).worker).toBe(worker);
    });

    test("chooses a worker that passes every filter, and nobody only if none does", () => {
      const strategy = make();
      fc.assert(
        fc.property(anyCase, ({ workers, moment, request, seed }) => {
          const view = viewOf(fleetOf(workers), moment);
          const passing = workers.filter((worker) =>
            strategy.filters.every((filter) => filter.passes(worker, request, view)),
          );
          const { worker, pool } = decide({ strategy, request, view, random: new Random(seed) });
          const candidates = pool.candidates.map((candidate) => candidate.worker);
          expect(new Set(candidates)).toEqual(new Set(passing));
          if (passing.length === 0) expect(worker).toBeNull();
          else expect(passing).toContain(worker);
        }),
      );
    });

    test("scores each candidate by its weighted scores, within 0..1", () => {
      const strategy = make();
      fc.assert(
        fc.property(anyCase, ({ workers, moment, request, seed }) => {
          const random = new Random(seed);
          const { pool } = decide(questionOf(workers, moment, { strategy, request, random }));
          for (const candidate of pool.candidates) {
            const { score } = candidate;
            const weighted = strategy.scorers.map(
              ({ scorer, weight }) => weight * clampScore(scorer.score(candidate, pool)),
            );
            expect(score).toBeCloseTo(
              weighted.reduce((sum, part) => sum + part, 0),
              9,
            );
            expect(score).toBeGreaterThanOrEqual(0);
            expect(score).toBeLessThanOrEqual(1 + 1e-9);
          }
        }),
      );
    });

    test("chooses the same worker in whatever order they are known, and when asked again", () => {
      const strategy = make();
      const orders = anyCase.chain((one) => fc.tuple(fc.constant(one), shuffled(one.workers)));
      const choose = (workers: readonly Worker[], { moment, request, seed }: Choosing) =>
        decide(questionOf(workers, moment, { strategy, request, random: new Random(seed) })).worker;
      fc.assert(
        fc.property(orders, ([one, reordered]) => {
          const chosen = choose(one.workers, one);
          expect(choose(reordered, one)).toBe(chosen);
          expect(choose(one.workers, one)).toBe(chosen);
        }),
      );
    });

    test("explains what it decided", () => {
      const strategy = make();
      fc.assert(
        fc.property(anyCase, ({ workers, moment, request, seed }) => {
          const question = questionOf(workers, moment, {
            strategy,
            request,
            random: new Random(seed),
          });
          const choice = decide(question);
          const { chosen, candidates } = explain(question, choice);
          expect(chosen).toBe(choice.worker?.id ?? null);
          expect(candidates.map(({ worker_id }) => worker_id)).toEqual(workers.map(({ id }) => id));
        }),
      );
    });

    test(`decides among ${MANY} workers by scoring ${MAX_CANDIDATES}`, () => {
      const strategy = make();
      const question = { ...questionOf([], {}, { strategy }), view: viewOf(manyFleet) };
      const { worker, pool } = decide(question);
      expect(worker).not.toBeNull();
      expect(pool.candidates).toHaveLength(MAX_CANDIDATES);
    });

    test(`finds the only free one of ${MANY} workers`, () => {
      const full = Object.fromEntries(manyWorkers.map(({ index }) => [index, 1]));
      const view = viewOf(manyFleet, { own: { ...full, 4711: 0 } });
      const { worker } = decide({ ...questionOf([], {}, { strategy: make() }), view });
      expect(worker?.index).toBe(4711);
    });

    test("has weights that sum to 1, or no scorer", () => {
      const { scorers } = make();
      const total = scorers.reduce((sum, { weight }) => sum + weight, 0);
      expect(total).toBeCloseTo(scorers.length === 0 ? 0 : 1, 9);
    });
  });
}

type Choosing = typeof anyCase extends fc.Arbitrary<infer Case> ? Omit<Case, "workers"> : never;
