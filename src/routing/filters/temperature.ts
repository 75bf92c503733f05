import type { Filter } from "../stages.ts";

/** Rejects workers on a GPU at or above max_temperature, until it is 5 °C below it again. */
export const temperature: Filter = {
  name: "temperature",
  scope: "snapshot",
  passes: (worker) => worker.gpus.every((gpu) => !gpu.tooHot),
  reject(worker, _request, view) {
    const gpu = worker.gpus.find((candidate) => candidate.tooHot);
    return {
      reason:
        `GPU ${gpu?.id} is too hot: ${gpu?.temperatureC ?? "?"} °C, ` +
        `limit ${view.maxTemperatureC} °C (gpu_monitoring.max_temperature)`,
      permanent: false,
    };
  },
};
