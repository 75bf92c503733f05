import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { RequestReport } from "../dispatch/request-report.ts";
import type { OutcomeClass } from "../failures/classify.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";
import { createCounter, createHistogram } from "./tallies.ts";

/** Every metric of the router, in one file. Labels have bounded values: never a user or a raw model. */

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
}

export interface Metrics {
  requestEnded(report: RequestReport): void;
  attemptEnded(workerId: string, outcome: OutcomeClass): void;
  decided(strategy: string, found: boolean): void;
  /** Prometheus text, version 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** By number; there is no band 0. */
const BANDS = ["", "1", "2", "3", "4", "5"];
const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createMetrics(view: MetricsView): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const live = createLiveMetrics(registry);
  registerGauges(registry, view);
  return {
    requestEnded(report) {
      const { path, status, totalMs, firstByteMs, promptTokens, completionTokens } = report;
      const wasCut = report.errorCode !== null && status < 300;
      live.requests(1, path, wasCut ? "cut" : String(status));
      live.duration(totalMs / 1000, path);
      if (firstByteMs !== null) live.firstByte(firstByteMs / 1000, path);
      if (report.queueMs > 0) live.queueWait(report.queueMs / 1000, BANDS[report.band] ?? "");
      if (promptTokens !== null) live.tokens(promptTokens, "prompt");
      if (completionTokens !== null) live.tokens(completionTokens, "completion");
    },
    attemptEnded: (workerId, outcome) => live.attempts(1, workerId, outcome),
    decided: (strategy, found) => live.decisions(1, strategy, found ? "chosen" : "nobody"),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function createLiveMetrics(registry: Registry) {
  return {
    requests: createCounter(registry, {
      name: "router_requests_total",
      help: "Routed requests that ended, by API path and HTTP status (499 = the client had gone, cut = the stream broke).",
      labels: ["path", "status"],
    }),
    duration: createHistogram(registry, {
      name: "router_request_duration_seconds",
      help: "From the acceptance of a request to the end of its answer.",
      label: "path",
      buckets: SECONDS,
    }),
    firstByte: createHistogram(registry, {
      name: "router_first_byte_seconds",
      help: "From the acceptance of a request to the first body byte from the worker.",
      label: "path",
      buckets: SECONDS,
    }),
    queueWait: createHistogram(registry, {
      name: "router_queue_wait_seconds",
      help: "How long requests that had to wait for a slot did wait, by the band they asked for.",
      label: "band",
      buckets: SECONDS,
    }),
    attempts: createCounter(registry, {
      name: "router_attempts_total",
      help: "Tries on workers, by how they count: success, neutral, failure, connection.",
      labels: ["worker_id", "class"],
    }),
    decisions: createCounter(registry, {
      name: "router_decisions_total",
      help: "Routing decisions, by strategy and whether a worker was found.",
      labels: ["strategy", "outcome"],
    }),
    tokens: createCounter(registry, {
      name: "router_tokens_total",
      help: "Tokens as workers reported them (streams without a report: their events).",
      labels: ["kind"],
    }),
  };
}

function registerGauges(registry: Registry, view: MetricsView): void {
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
  registerAdmissionGauges(registry, view);
}

function registerAdmissionGauges(registry: Registry, view: MetricsView): void {
  const waiting = { name: "router_queue_requests", label: "band" };
  gauge(registry, { ...waiting, help: "Requests that wait for a slot, by band." }, () =>
    BANDS.slice(1).map((band) => [band, view.queue().sizeOfBand(Number(band))]),
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
