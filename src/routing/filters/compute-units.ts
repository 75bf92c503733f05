import type { Worker } from "../../fleet/worker.ts";
import type { Filter, RoutingView } from "../stages.ts";

/** resource_requirements.compute_units: the least number of GPUs that the worker must span. */
export const computeUnits: Filter = {
  name: "compute_units",
  scope: "snapshot",
  passes: (worker, request) =>
    request.computeUnits === null || gpuCount(worker) >= request.computeUnits,
  reject: (worker, request, view) => ({
    reason: `spans ${gpuCount(worker)} GPU(s), ${request.computeUnits} asked for`,
    permanent: !mayBecomeKnown(worker, view),
  }),
};

/** A worker without known GPUs counts as one. */
function gpuCount(worker: Worker): number {
  return Math.max(1, worker.gpuIds.length);
}

/** With `gpus: auto` they are, once the monitor there has answered for the first time. */
function mayBecomeKnown(worker: Worker, { snapshot }: RoutingView): boolean {
  const someSilent = snapshot.sources.some(({ lastSuccessAtMs }) => lastSuccessAtMs === null);
  return worker.gpuIds.length === 0 && someSilent;
}
