import type { Worker } from "../../fleet/worker.ts";
import type { Filter } from "../stages.ts";

/** The model's min_compute_capability against the weakest of the worker's GPUs; unknown passes. */
export const computeCapability: Filter = {
  name: "compute_capability",
  scope: "snapshot",
  passes(worker, { model }) {
    const least = worker.models.get(model)?.minComputeCapability ?? null;
    const weakest = weakestOf(worker);
    return least === null || weakest === null || weakest >= least;
  },
  reject: (worker, { model }) => ({
    reason:
      `has compute capability ${weakestOf(worker)}, ` +
      `${model} needs ${worker.models.get(model)?.minComputeCapability}`,
    permanent: true,
  }),
};

function weakestOf(worker: Worker): number | null {
  let weakest: number | null = null;
  for (const { computeCapability: capability } of worker.gpus) {
    if (capability !== null && (weakest === null || capability < weakest)) weakest = capability;
  }
  return weakest;
}
