import type { Gpu } from "../../fleet/gpu.ts";
import type { Filter } from "../stages.ts";

/** Rejects workers on a GPU that its source calls broken or under maintenance; busy is no refusal. */
export const gpuStatus: Filter = {
  name: "gpu_status",
  scope: "snapshot",
  passes: (worker) => worker.gpus.every(isUsable),
  reject(worker) {
    const gpu = worker.gpus.find((candidate) => !isUsable(candidate));
    const errors = gpu?.health?.errors.join("; ");
    const what = gpu?.status === "error" || gpu?.status === "maintenance" ? gpu.status : "critical";
    return {
      reason: `GPU ${gpu?.id} reports ${what}${errors ? `: ${errors}` : ""}`,
      permanent: false,
    };
  },
};

function isUsable(gpu: Gpu): boolean {
  return (
    gpu.status !== "error" && gpu.status !== "maintenance" && gpu.health?.status !== "critical"
  );
}
