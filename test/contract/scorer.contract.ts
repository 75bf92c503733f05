import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/routing/decide.ts";
import { clampScore } from "../../src/routing/scores.ts";
import type { Pool, Scorer } from "../../src/routing/stages.ts";
import { anyMoment, anyRequest, anyWorkers } from "../support/fleet-arbitraries.ts";
import { questionOf, serving, viewOf } from "../support/routing-builders.ts";
import { pipeline } from "../support/routing-entries.ts";

/** Pools as decide makes them, of fleets with nothing but required filters: the worst that get in. */
const anyPool: fc.Arbitrary<Pool> = fc
  .record({ workers: anyWorkers, moment: anyMoment, request: anyRequest })
  .map(({ workers, moment, request }) => {
    return decide(questionOf(workers, moment, { strategy: LENIENT, request })).pool;
  });

const LENIENT = pipeline({ filters: [] });

/** What the framework relies on, whatever a scorer looks at. */
export function describeScorer(make: () => Scorer): void {
  const scorer = make();

  describe(`the scorer ${scorer.name}`, () => {
    test("never gives NaN, whatever telemetry says or leaves out", () => {
      fc.assert(
        fc.property(anyPool, (pool) => {
          for (const candidate of pool.candidates) {
            expect(scorer.score(candidate, pool)).not.toBeNaN();
          }
        }),
      );
    });

    test("never gives more than 1, so that clamping does not make unlike workers alike", () => {
      fc.assert(
        fc.property(anyPool, (pool) => {
          for (const candidate of pool.candidates) {
            const score = scorer.score(candidate, pool);
            expect(score).toBeLessThanOrEqual(1);
            expect(clampScore(score)).toBeGreaterThanOrEqual(0);
          }
        }),
      );
    });

    test("gives the same worker the same score, whatever the order of the others", () => {
      fc.assert(
        fc.property(anyPool, (pool) => {
          const reversed = { ...pool, candidates: pool.candidates.toReversed() };
          for (const candidate of pool.candidates) {
            expect(scorer.score(candidate, reversed)).toBe(scorer.score(candidate, pool));
          }
        }),
      );
    });

    if (scorer.scope === "snapshot") {
      test("looks at the worker alone: neither at what runs there nor at the others", () => {
        fc.assert(
          fc.property(anyPool, fc.nat(100), (pool, n) => {
            for (const candidate of pool.candidates) {
              const busier = { ...candidate, n, cost: candidate.cost + n };
              const alone = { ...pool, candidates: [busier], lowestCost: 1, highestSpeed: 5 };
              expect(scorer.score(busier, alone)).toBe(scorer.score(candidate, pool));
            }
          }),
        );
      });
    }

    if (scorer.scope === "snapshot") {
      test("keeps its score while only leases, other candidates and the request's needs change", () => {
        const later = fc.record({ moment: anyMoment, request: anyRequest });
        fc.assert(
          fc.property(anyPool, later, (pool, { moment, request }) => {
            const { leases, cooldowns, nowMs } = viewOf(pool.view.snapshot, moment);
            const { model, path, type } = pool.request;
            for (const { worker, speed } of pool.candidates) {
              const alone = { worker, speed, n: 0, cost: 1 / speed, score: 0 };
              const laterPool: Pool = {
                candidates: [alone],
                request: { ...request, model, path, type },
                view: { ...pool.view, leases, cooldowns, nowMs },
                lowestCost: alone.cost,
                highestSpeed: speed,
              };
              const before = pool.candidates.find((candidate) => candidate.worker === worker)!;
              expect(scorer.score(alone, laterPool)).toBe(scorer.score(before, pool));
            }
          }),
        );
      });
    }

    test("gives a worker alone in the fleet a score above 0", () => {
      const { pool } = decide(questionOf([serving(0)], {}, { strategy: LENIENT }));
      expect(pool.candidates).toHaveLength(1);
      for (const candidate of pool.candidates) {
        expect(scorer.score(candidate, pool)).toBeGreaterThan(0);
      }
    });
  });
}
