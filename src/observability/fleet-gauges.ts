import type { Gpu } from "../fleet/gpu.ts";
import type { SourceState } from "../fleet/snapshot.ts";
import type { Worker, WorkerState } from "../fleet/worker.ts";
import { registerGauge, type Exposition } from "./exposition.ts";
import type { MetricsView } from "./metrics-view.ts";

/** Workers, their GPUs, and those who report on GPUs: the series are those of the fleet of now. */
export function registerFleetGauges(exposition: Exposition, view: MetricsView): void {
  registerWorkerGauges(exposition, view);
  registerModelGauges(exposition, view);
  registerGpuReadings(exposition, view);
  registerGpuVerdicts(exposition, view);
  registerSourceGauges(exposition, view);
}

function registerWorkerGauges(exposition: Exposition, view: MetricsView): void {
  /** null = no series for this one. */
  const perWorker = (name: string, help: string, read: (worker: Worker) => number | null): void =>
    registerGauge(exposition, { name, help, label: "worker_id" }, () =>
      view.snapshot().workers.flatMap((worker) => {
        const value = read(worker);
        return value === null ? [] : [[worker.id, value] as const];
      }),
    );
  perWorker("router_open_leases", "Requests in the worker that this router sent.", (worker) =>
    view.ownLeases(worker.index),
  );
  perWorker("router_worker_slots", "Requests that the worker may have at once.", (w) => w.slots);
  perWorker("router_worker_up", "1 = the worker is up, 0 = it is starting or down.", (w) =>
    Number(w.state === "up"),
  );
  perWorker("router_worker_cooling", "1 = the worker cools down after failures.", (worker) =>
    Number(view.isCooling(worker.index)),
  );
  perWorker(
    "router_worker_cordoned",
    "1 = an operator keeps new requests from the worker.",
    (worker) => Number(worker.cordon !== null),
  );
  perWorker(
    "router_worker_reported_requests",
    "Requests in the worker, running and waiting, as it said when it was last asked.",
    ({ load }) => load?.active ?? null,
  );
  perWorker(
    "router_worker_report_age_seconds",
    "Time since the worker said how many requests it has.",
    ({ load }) => (load ? (view.nowMs() - load.receivedAtMs) / 1000 : null),
  );
  const states: readonly WorkerState[] = ["up", "starting", "down"];
  const workers = { name: "router_workers", help: "Workers by state.", label: "state" };
  registerGauge(exposition, workers, () =>
    states.map((state) => [
      state,
      view.snapshot().workers.filter((worker) => worker.state === state).length,
    ]),
  );
}

function registerModelGauges(exposition: Exposition, view: MetricsView): void {
  const isCooling = ({ index }: Worker): boolean => view.isCooling(index);
  /** Models of whose workers in service, one at least, all are such. */
  const perModel = (name: string, help: string, is: (worker: Worker) => boolean): void =>
    registerGauge(exposition, { name, help, label: null }, () => {
      const models = [...view.snapshot().workersByModel.values()].filter((workers) => {
        const inService = workers.filter(({ cordon }) => cordon === null);
        return inService.length > 0 && inService.every(is);
      });
      return [["", models.length]];
    });
  perModel(
    "router_models_cooling",
    "Models all of whose workers in service cool down: one request a second is tried on them.",
    isCooling,
  );
  perModel(
    "router_models_out",
    "Models that no worker in service serves now: each is starting, down or cools down. Cordoned workers do not count.",
    (worker) => worker.state !== "up" || isCooling(worker),
  );
}

const READINGS = [
  ["router_gpu_utilization_ratio", "GPU utilization as reported, 0..1.", "utilization"],
  ["router_gpu_temperature_celsius", "GPU temperature as reported.", "temperatureC"],
  ["router_gpu_memory_used_bytes", "GPU memory in use as reported.", "memoryUsedBytes"],
  ["router_gpu_memory_total_bytes", "GPU memory as reported.", "memoryTotalBytes"],
  ["router_gpu_power_watts", "Power that the GPU draws as reported.", "powerUsageW"],
  ["router_gpu_power_limit_watts", "Power that the GPU may draw as reported.", "powerLimitW"],
] as const;

function registerGpuReadings(exposition: Exposition, view: MetricsView): void {
  for (const [name, help, field] of READINGS) {
    registerGauge(exposition, { name, help, label: "gpu_id" }, () =>
      [...view.snapshot().gpus.values()].flatMap((gpu) => {
        const value = gpu[field];
        return value === null ? [] : [[gpu.id, value] as const];
      }),
    );
  }
  const name = "router_gpu_temperature_limit_celsius";
  const help = "gpu_monitoring.max_temperature: a GPU that reaches it is too hot.";
  registerGauge(exposition, { name, help, label: null }, () => [
    ["", view.settings().maxTemperatureC],
  ]);
}

const VERDICTS: readonly (readonly [name: string, help: string, is: (gpu: Gpu) => boolean])[] = [
  [
    "router_gpu_too_hot",
    "1 = it reached the limit and is not yet 5 °C below it: its workers get nothing.",
    (gpu) => gpu.tooHot,
  ],
  [
    "router_gpu_missing",
    "1 = its monitor answers and no longer reports it: its workers get nothing.",
    (gpu) => gpu.isMissing,
  ],
  [
    "router_gpu_faulty",
    "1 = its monitor calls it broken, or its health critical: its workers get nothing.",
    (gpu) => !gpu.isMissing && (gpu.status === "error" || gpu.health?.status === "critical"),
  ],
  [
    "router_gpu_in_maintenance",
    "1 = its monitor says that it is under maintenance: its workers get nothing.",
    (gpu) => gpu.status === "maintenance",
  ],
];

function registerGpuVerdicts(exposition: Exposition, view: MetricsView): void {
  for (const [name, help, is] of VERDICTS) {
    registerGauge(exposition, { name, help, label: "gpu_id" }, () =>
      [...view.snapshot().gpus.values()].map((gpu) => [gpu.id, Number(is(gpu))]),
    );
  }
}

function registerSourceGauges(exposition: Exposition, view: MetricsView): void {
  const perSource = (
    name: string,
    help: string,
    read: (source: SourceState) => number | null,
  ): void =>
    registerGauge(exposition, { name, help, label: "source" }, () =>
      view.snapshot().sources.flatMap((source) => {
        const value = read(source);
        return value === null ? [] : [[source.name, value] as const];
      }),
    );
  perSource(
    "router_source_up",
    "1 = the latest poll of the GPU source went well.",
    ({ failure, lastSuccessAtMs }) => Number(failure === null && lastSuccessAtMs !== null),
  );
  perSource(
    "router_source_age_seconds",
    "Age of the last good poll of a GPU source.",
    ({ lastSuccessAtMs }) =>
      lastSuccessAtMs === null ? null : (view.nowMs() - lastSuccessAtMs) / 1000,
  );
}
