import type { Worker } from "../../fleet/worker.ts";
import type { Filter } from "../stages.ts";

/** resource_requirements.compute_units: the least number of GPUs that the worker must span. */
export const computeUnits: Filter = {
  name: "compute_units",
  scope: "snapshot",
  passes: (worker, request) =>
    request.computeUnits === null || gpuCount(worker) >= request.computeUnits,
  reject: (worker, request) => ({
    reason: `spans ${gpuCount(worker)} GPU(s), ${request.computeUnits} asked for`,
    permanent: true,
  }),
};

/** A worker without known GPUs counts as one. */
function gpuCount(worker: Worker): number {
  return Math.max(1, worker.gpuIds.length);
}
