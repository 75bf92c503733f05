import type { Gpu } from "../../fleet/gpu.ts";
import type { Scorer } from "../stages.ts";

/** Full marks this far below max_temperature; none at it. */
const COMFORT_C = 30;
/** Above this share of its power limit a GPU begins to throttle. */
const POWER_COMFORT = 0.8;
const WARNING_SCORE = 0.5;

/** Headroom of temperature, power and errors; the worst figure of the worst of the worker's GPUs. */
export const health: Scorer = {
  name: "health",
  scope: "snapshot",
  score({ worker }, { view }) {
    let worst = 1;
    for (const gpu of worker.gpus) worst = Math.min(worst, gpuHealth(gpu, view.maxTemperatureC));
    return worst;
  },
};

function gpuHealth(gpu: Gpu, maxTemperatureC: number): number {
  const heat = gpu.temperatureC === null ? 1 : (maxTemperatureC - gpu.temperatureC) / COMFORT_C;
  const errors = 1 - (gpu.errorRate ?? 0);
  const warned = gpu.health?.status === "warning" ? WARNING_SCORE : 1;
  return Math.min(heat, powerHeadroom(gpu), errors, warned);
}

function powerHeadroom({ powerUsageW, powerLimitW }: Gpu): number {
  if (powerUsageW === null || powerLimitW === null || powerLimitW <= 0) return 1;
  return (1 - powerUsageW / powerLimitW) / (1 - POWER_COMFORT);
}
