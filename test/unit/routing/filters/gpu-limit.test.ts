import { describe, expect, test } from "vitest";
import { gpuLimit } from "../../../../src/routing/filters/gpu-limit.ts";
import type { RoutingRequest } from "../../../../src/routing/stages.ts";
import { fleetOf, routingRequest, serving, viewOf } from "../../../support/routing-builders.ts";

/** alice holds worker-1 and worker-2 of three. */
const view = viewOf(fleetOf([0, 1, 2].map((index) => serving(index))), { held: [1, 2] });

function passes(index: number, changes: Partial<RoutingRequest>): boolean {
  return gpuLimit.passes(serving(index), routingRequest(changes), view);
}

describe("gpu_limit", () => {
  test("lets a user below their limit go anywhere", () => {
    expect([0, 1, 2].map((index) => passes(index, { atGpuLimit: false }))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("lets a user at their limit only share what they hold", () => {
    expect([0, 1, 2].map((index) => passes(index, { atGpuLimit: true }))).toEqual([
      false,
      true,
      true,
    ]);
  });

  test("goes by the placement: another worker on the same GPUs is held, too", () => {
    const beside = serving(7, { placement: 2 });
    expect(gpuLimit.passes(beside, routingRequest({ atGpuLimit: true }), view)).toBe(true);
  });

  test("rejects for now, and names what the user holds", () => {
    const request = routingRequest({ atGpuLimit: true, gpuLimit: 2 });
    expect(gpuLimit.reject(serving(0), request, view)).toEqual({
      reason: "alice holds 2 of 2 (gpu_limit): worker-1, worker-2",
      permanent: false,
    });
  });

  test("looks through the leases once for a decision, not once for each worker", () => {
    let looks = 0;
    const workersOf = (): ReadonlySet<number> => new Set([(looks += 1)]);
    const counting = { ...view, leases: { ...view.leases, workersOf } };
    const reasonFor = (index: number, request: RoutingRequest): string =>
      gpuLimit.reject(serving(index), request, counting).reason;
    const request = routingRequest({ atGpuLimit: true, gpuLimit: 2 });
    const reasons = [0, 1, 2].map((index) => reasonFor(index, request));
    expect(reasons).toEqual(reasons.map(() => "alice holds 2 of 2 (gpu_limit): worker-1"));
    expect(reasonFor(0, { ...request })).toBe("alice holds 2 of 2 (gpu_limit): worker-2");
  });

  test("rejects for ever where the limit is 0", () => {
    const request = routingRequest({ atGpuLimit: true, gpuLimit: 0 });
    expect(gpuLimit.reject(serving(0), request, view)).toEqual({
      reason: "alice may use 0 GPUs (gpu_limit)",
      permanent: true,
    });
  });
});
