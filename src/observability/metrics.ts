import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RequestReport } from "../dispatch/request-report.ts";
import type { AttemptRecord } from "../dispatch/route-request.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";

/** Every metric of the router, in one file. Labels have bounded values: never a user or a raw model. */

/** Looked at when a scrape asks, so that gauges cost nothing in between. */
export interface MetricsView {
  readonly nowMs: () => number;
  readonly snapshot: () => FleetSnapshot;
  readonly ownLeases: (workerIndex: number) => number;
  readonly isCooling: (workerIndex: number) => boolean;
  readonly runningJobs: () => number;
}

export interface Metrics {
  requestEnded(report: RequestReport): void;
  attemptEnded(record: AttemptRecord): void;
  decided(strategy: string, found: boolean): void;
  /** Prometheus text, version 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
}

const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createMetrics(view: MetricsView): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const live = createLiveMetrics(registry);
  registerGauges(registry, view);
  return {
    requestEnded({ path, status, totalMs, firstByteMs, promptTokens, completionTokens }) {
      live.requests(path, String(status)).inc();
      live.duration(path).observe(totalMs / 1000);
      if (firstByteMs !== null) live.firstByte(path).observe(firstByteMs / 1000);
      if (promptTokens !== null) live.tokens("prompt").inc(promptTokens);
      if (completionTokens !== null) live.tokens("completion").inc(completionTokens);
    },
    attemptEnded: (record) => live.attempts(record.worker.id, record.class).inc(),
    decided: (strategy, found) => live.decisions(strategy, found ? "chosen" : "nobody").inc(),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function createLiveMetrics(registry: Registry) {
  const registers = [registry];
  const requests = new Counter({
    name: "router_requests_total",
    help: "Routed requests that ended, by API path and HTTP status (499 = the client had gone).",
    labelNames: ["path", "status"],
    registers,
  });
  const duration = new Histogram({
    name: "router_request_duration_seconds",
    help: "From the acceptance of a request to the end of its answer.",
    labelNames: ["path"],
    buckets: SECONDS,
    registers,
  });
  const firstByte = new Histogram({
    name: "router_first_byte_seconds",
    help: "From the acceptance of a request to the first body byte from the worker.",
    labelNames: ["path"],
    buckets: SECONDS,
    registers,
  });
  const attempts = new Counter({
    name: "router_attempts_total",
    help: "Tries on workers, by how they count: success, neutral, failure, connection.",
    labelNames: ["worker_id", "class"],
    registers,
  });
  const decisions = new Counter({
    name: "router_decisions_total",
    help: "Routing decisions, by strategy and whether a worker was found.",
    labelNames: ["strategy", "outcome"],
    registers,
  });
  const tokens = new Counter({
    name: "router_tokens_total",
    help: "Tokens as workers reported them (streams without a report: their events).",
    labelNames: ["kind"],
    registers,
  });
  return {
    requests: cached((path, status) => requests.labels(path, status)),
    duration: cached((path) => duration.labels(path)),
    firstByte: cached((path) => firstByte.labels(path)),
    attempts: cached((workerId, outcome) => attempts.labels(workerId, outcome)),
    decisions: cached((strategy, outcome) => decisions.labels(strategy, outcome)),
    tokens: cached((kind) => tokens.labels(kind)),
  };
}

/** Resolving labels costs more than counting; each combination is resolved once. */
function cached<Child>(resolve: (a: string, b: string) => Child): (a: string, b?: string) => Child {
  const children = new Map<string, Map<string, Child>>();
  return (a, b = "") => {
    let row = children.get(a);
    if (!row) children.set(a, (row = new Map<string, Child>()));
    let child = row.get(b);
    if (!child) row.set(b, (child = resolve(a, b)));
    return child;
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
