import { Counter, Gauge, type Registry } from "prom-client";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";

/** Looked at when a scrape asks, so that gauges cost nothing in between. */
export interface MetricsView {
  readonly nowMs: () => number;
  readonly snapshot: () => FleetSnapshot;
  readonly ownLeases: (workerIndex: number) => number;
  readonly isCooling: (workerIndex: number) => boolean;
  readonly runningJobs: () => number;
  /** What waits for a slot. */
  readonly queue: () => { sizeOfBand(band: number): number; readonly bytes: number };
  /** Open leases, counted in three ways that must agree at any moment. */
  readonly leaseSums: () => Readonly<Record<"open" | "over_workers" | "over_users", number>>;
  readonly openReservations: () => number;
  readonly retryBudgetTokens: () => number;
  /** New work below this band is refused; 1 = none is. */
  readonly lowestBand: () => number;
  readonly logLinesDropped: () => number;
}

const BANDS = ["1", "2", "3", "4", "5"];

export function registerGauges(registry: Registry, view: MetricsView): void {
  const perWorker = (name: string, help: string, value: (worker: Worker) => number): void => {
    gauge(registry, { name, help, label: "worker_id" }, () =>
      view.snapshot().workers.map((worker) => [worker.id, value(worker)]),
    );
  };
  perWorker("router_open_leases", "Requests in the worker that this router sent.", (worker) =>
    view.ownLeases(worker.index),
  );
  perWorker("router_worker_slots", "Requests that the worker may have at once.", (w) => w.slots);
  perWorker("router_worker_up", "1 = up, 0 = starting or down.", (w) => Number(w.state === "up"));
  perWorker("router_worker_cooling", "1 = cooling down after failures.", (worker) =>
    Number(view.isCooling(worker.index)),
  );
  const models = { name: "router_models_cooling", label: null };
  const outage = "Models all of whose workers cool down: one request a second is tried on them.";
  gauge(registry, { ...models, help: outage }, () => [["", coolingModels(view)]]);
  registerGpuGauges(registry, view);
  const age = { name: "router_source_age_seconds", label: "source" };
  gauge(registry, { ...age, help: "Age of the last good poll of a GPU source." }, () =>
    view
      .snapshot()
      .sources.flatMap(({ name, lastSuccessAtMs }) =>
        lastSuccessAtMs === null ? [] : [[name, (view.nowMs() - lastSuccessAtMs) / 1000] as const],
      ),
  );
  const jobs = { name: "router_running_jobs", help: "Jobs of /api/v1/route under way." };
  gauge(registry, { ...jobs, label: null }, () => [["", view.runningJobs()]]);
  const budget = { name: "router_retry_budget_tokens", label: null };
  gauge(registry, { ...budget, help: "Retries that may be made now." }, () => [
    ["", view.retryBudgetTokens()],
  ]);
  registerAdmissionGauges(registry, view);
  registerProcessMetrics(registry, view);
}

function registerProcessMetrics(registry: Registry, view: MetricsView): void {
  const shedding = { name: "router_shedding_below_band", label: null };
  const help = "New work below this band is refused: 1 = none is, 6 = all is.";
  gauge(registry, { ...shedding, help }, () => [["", view.lowestBand()]]);
  const dropped = "Lines of the log that nobody took in time, or for which there was no room.";
  registerTotal(registry, { name: "router_log_lines_dropped_total", help: dropped }, () =>
    view.logLinesDropped(),
  );
}

/** A counter that somebody else keeps. */
export function registerTotal(
  registry: Registry,
  what: { readonly name: string; readonly help: string },
  read: () => number,
): void {
  const counter = new Counter({
    ...what,
    registers: [],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
  registry.registerMetric(counter);
}

function registerAdmissionGauges(registry: Registry, view: MetricsView): void {
  const waiting = { name: "router_queue_requests", label: "band" };
  gauge(registry, { ...waiting, help: "Requests that wait for a slot, by band." }, () =>
    BANDS.map((band) => [band, view.queue().sizeOfBand(Number(band))]),
  );
  const bytes = { name: "router_queue_bytes", help: "Bodies of the requests that wait." };
  gauge(registry, { ...bytes, label: null }, () => [["", view.queue().bytes]]);
  const leases = { name: "router_leases", label: "counted" };
  const help = "Open leases: all, summed over workers, summed over users. All three are the same.";
  gauge(registry, { ...leases, help }, () => Object.entries(view.leaseSums()));
  const reservations = { name: "router_open_reservations", label: null };
  gauge(registry, { ...reservations, help: "Requests whose quota is not settled yet." }, () => [
    ["", view.openReservations()],
  ]);
}

function registerGpuGauges(registry: Registry, view: MetricsView): void {
  const columns = [
    ["router_gpu_utilization_ratio", "As reported, 0..1.", "utilization"],
    ["router_gpu_temperature_celsius", "As reported.", "temperatureC"],
    ["router_gpu_memory_used_bytes", "As reported.", "memoryUsedBytes"],
    ["router_gpu_memory_total_bytes", "As reported.", "memoryTotalBytes"],
    ["router_gpu_power_watts", "As reported.", "powerUsageW"],
  ] as const;
  for (const [name, help, field] of columns) {
    gauge(registry, { name, help, label: "gpu_id" }, () =>
      [...view.snapshot().gpus.values()].flatMap((gpu) => {
        const value = gpu[field];
        return value === null ? [] : [[gpu.id, value] as const];
      }),
    );
  }
}

/** Filled anew at each scrape, so that what is gone is gone. */
function gauge(
  registry: Registry,
  what: { readonly name: string; readonly help: string; readonly label: string | null },
  read: () => readonly (readonly [label: string, value: number])[],
): void {
  const { name, help, label } = what;
  const metric = new Gauge({
    name,
    help,
    labelNames: label === null ? [] : [label],
    registers: [],
    collect() {
      this.reset();
      for (const [value, number] of read()) {
        if (label === null) this.set(number);
        else this.set({ [label]: value }, number);
      }
    },
  });
  registry.registerMetric(metric);
}

function coolingModels({ snapshot, isCooling }: MetricsView): number {
  const isOut = (workers: readonly Worker[]): boolean =>
    workers.every(({ index }) => isCooling(index));
  return [...snapshot().workersByModel.values()].filter(isOut).length;
}
