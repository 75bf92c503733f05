import type { Gpu } from "../../fleet/gpu.ts";
import type { Worker } from "../../fleet/worker.ts";
import type { Filter, RoutingView } from "../stages.ts";

/** Rejects workers on a GPU at or above max_temperature, until it is 5 °C below it again. */
export const temperature: Filter = {
  name: "temperature",
  scope: "snapshot",
  passes: (worker) => worker.gpus.every((gpu) => !gpu.tooHot),
  reject(worker, _request, view) {
    const hot = hotGpus(worker).map((gpu) => `GPU ${gpu.id} is too hot: ${degrees(gpu)}`);
    return { reason: `${hot.join(", ")}, ${limitOf(view)}`, permanent: false };
  },
};

/** Where nothing but heat keeps all of these workers away: each temperature, and the key to change. */
export function listHeat(workers: readonly Worker[], view: RoutingView): string {
  const each = workers.map((worker) => {
    const gpus = hotGpus(worker).map((gpu) => `GPU ${gpu.id} ${degrees(gpu)}`);
    return `${worker.id}: ${gpus.join(", ")}`;
  });
  return `${each.join("; ")}; ${limitOf(view)}`;
}

function hotGpus(worker: Worker): Gpu[] {
  return worker.gpus.filter((gpu) => gpu.tooHot);
}

function degrees({ temperatureC }: Gpu): string {
  return `${temperatureC ?? "?"} °C`;
}

function limitOf({ maxTemperatureC }: RoutingView): string {
  return `limit ${maxTemperatureC} °C (gpu_monitoring.max_temperature)`;
}
