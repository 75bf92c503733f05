import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../../src/routing/stages.ts";
import { anyMoment, anyRequest, anyWorkers } from "../support/fleet-arbitraries.ts";
import { fleetOf, viewOf } from "../support/routing-builders.ts";

const anyCase = fc.record({ workers: anyWorkers, moment: anyMoment, request: anyRequest });

/** What the framework relies on, whatever a filter looks at. */
export function describeFilter(make: () => Filter): void {
  const filter = make();

  describe(`the filter ${filter.name}`, () => {
    test("has a reason and says whether waiting helps, whenever it rejects", () => {
      fc.assert(
        fc.property(anyCase, ({ workers, moment, request }) => {
          const view = viewOf(fleetOf(workers), moment);
          for (const worker of workers) {
            if (filter.passes(worker, request, view)) continue;
            const { reason, permanent } = filter.reject(worker, request, view);
            expect(reason).toMatch(/\w+ \w+/);
            expect(reason).not.toMatch(/undefined|null|NaN|Infinity/);
            expect(permanent).toBeTypeOf("boolean");
          }
        }),
      );
    });

    test("passes some of the generated workers and rejects others", () => {
      const verdicts = new Set<boolean>();
      for (const { workers, moment, request } of fc.sample(anyCase, { seed: 1, numRuns: 200 })) {
        const view = viewOf(fleetOf(workers), moment);
        for (const worker of workers) verdicts.add(filter.passes(worker, request, view));
      }
      expect(verdicts).toEqual(new Set([true, false]));
    });

    if (filter.scope === "moment") return;
    test("keeps its verdict while only leases, cooldowns and the request's history change", () => {
      const later = fc.record({ moment: anyMoment, request: anyRequest });
      fc.assert(
        fc.property(anyCase, later, ({ workers, moment, request }, changed) => {
          const snapshot = fleetOf(workers);
          const { band, gpuLimit, atGpuLimit, memoryBytes, tried } = changed.request;
          const limits = { gpuLimit, atGpuLimit };
          const laterRequest = { ...request, ...limits, band, memoryBytes, tried };
          for (const worker of workers) {
            expect(filter.passes(worker, laterRequest, viewOf(snapshot, changed.moment))).toBe(
              filter.passes(worker, request, viewOf(snapshot, moment)),
            );
          }
        }),
      );
    });
  });
}
