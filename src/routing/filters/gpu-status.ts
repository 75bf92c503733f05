import type { Gpu } from "../../fleet/gpu.ts";
import type { Filter } from "../stages.ts";

/**
 * Rejects workers on a GPU that its source calls broken or under maintenance, or has lost from sight;
 * busy is no refusal.
 */
export const gpuStatus: Filter = {
  name: "gpu_status",
  scope: "snapshot",
  passes: (worker) => worker.gpus.every((gpu) => faultOf(gpu) === null),
  reject(worker) {
    const faults = worker.gpus.flatMap((gpu) => faultOf(gpu) ?? []);
    return { reason: faults.join(", "), permanent: false };
  },
};

/** Why no request may be sent to it, in words; null = one may. */
function faultOf({ id, status, health, isMissing }: Gpu): string | null {
  if (isMissing) return `GPU ${id} is no longer reported by its monitor`;
  const isDown = status === "error" || status === "maintenance";
  if (!isDown && health?.status !== "critical") return null;
  const errors = health?.errors.join("; ");
  return `GPU ${id} reports ${isDown ? status : "critical"}${errors ? `: ${errors}` : ""}`;
}
