import { collectDefaultMetrics, Registry } from "prom-client";
import type { Pressure } from "../admission/overload.ts";
import type { RequestReport } from "../dispatch/request-report.ts";
import { ERRORS, type RouterError } from "../errors.ts";
import type { OutcomeClass } from "../failures/classify.ts";
import { Exposition, registerGauge, registerTotal } from "./exposition.ts";
import { registerGauges } from "./gauges.ts";
import { InRows } from "./in-rows.ts";
import type { MetricsView } from "./metrics-view.ts";
import { createCounter, createHistogram } from "./tallies.ts";

/**
 * What is counted as it happens; gauges.ts has what is looked at when a scrape asks. Labels have
 * bounded values: never a user or a raw model. Series are there from 0 on where their labels are
 * known beforehand. docs/metrics.md is checked against what is registered here.
 */

export interface Metrics {
  requestEnded(report: RequestReport): void;
  /** A client is told of an error. */
  errorTold(error: RouterError): void;
  attemptEnded(workerId: string, outcome: OutcomeClass): void;
  /** A worker was taken out for its failures. */
  cooledDown(workerId: string): void;
  decided(strategy: string, found: boolean): void;
  /** Nobody was found: the filters that turned workers of the model away, each once. */
  turnedAway(filters: Iterable<string>): void;
  /** New work refused because the router itself is overloaded; null: unread, its band unknown. */
  shed(band: number | null): void;
  connectionRefused(): void;
  /** The config was read while the router ran. */
  configRead(outcome: ConfigOutcome): void;
  /** How hard the process was pressed since the last call. */
  pressed(pressure: Pressure): void;
  /** Prometheus text, version 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
}

type ConfigOutcome = "applied" | "refused" | "unchanged";

/** By number; there is no band 0. */
const BANDS = ["", "1", "2", "3", "4", "5"];
const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createMetrics(view: MetricsView): Metrics {
  const exposition = new Exposition();
  const ended = new InRows(countRequests(exposition, view));
  const attempts = countAttempts(exposition, view);
  const refusals = countRefusals(exposition);
  const ofProcess = countProcess(exposition);
  registerGauges(exposition, view);
  // Of Node and the process; the library knows where they are to be read.
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return {
    ...{ ...attempts, ...refusals, ...ofProcess },
    requestEnded: (report) => ended.add(report),
    async text() {
      ended.catchUp();
      return (await exposition.text()) + (await registry.metrics());
    },
    contentType: registry.contentType,
  };
}

/** Sums over other gauges, under names that Prometheus keeps for counters. */
const MISNAMED = ["resources", "handles", "requests"].map((what) => `nodejs_active_${what}_total`);

function countRequests(
  exposition: Exposition,
  { paths }: MetricsView,
): (report: RequestReport) => void {
  const requests = createCounter(exposition, {
    name: "router_requests_total",
    help: "Routed requests that ended, by API path and HTTP status (499 = the client had gone, cut = the stream broke).",
    labels: ["path", "status"],
    known: { first: () => paths, second: ["200"] },
  });
  const duration = createHistogram(exposition, {
    name: "router_request_duration_seconds",
    help: "From the acceptance of a request to the end of its answer.",
    label: "path",
    buckets: SECONDS,
  });
  const firstByte = createHistogram(exposition, {
    name: "router_first_byte_seconds",
    help: "From the acceptance of a request to the first body byte from the worker, less its waits for a slot.",
    label: "path",
    buckets: SECONDS,
  });
  const queueWait = createHistogram(exposition, {
    name: "router_queue_wait_seconds",
    help: "How long requests that had to wait for a slot did wait, by the band they asked for.",
    label: "band",
    buckets: SECONDS,
    known: BANDS.slice(1),
  });
  const retries = createCounter(exposition, {
    name: "router_retries_total",
    help: "Attempts after the first of a request, by API path.",
    labels: ["path"],
    known: { first: () => paths },
  });
  const tokens = createCounter(exposition, {
    name: "router_tokens_total",
    help: "Tokens as workers reported them (streams without a report: their events).",
    labels: ["kind"],
    known: { first: () => ["prompt", "completion"] },
  });
  return (report) => {
    const { path, status, attempts, queueMs, firstByteMs, promptTokens, completionTokens } = report;
    const wasCut = report.errorCode !== null && status < 300;
    requests(1, path, wasCut ? "cut" : String(status));
    duration(report.totalMs / 1000, path);
    // Each wait is rounded to whole milliseconds.
    if (firstByteMs !== null) firstByte(Math.max(0, firstByteMs - queueMs) / 1000, path);
    if (queueMs > 0) queueWait(queueMs / 1000, BANDS[report.band] ?? "");
    if (attempts > 1) retries(attempts - 1, path);
    if (promptTokens !== null) tokens(promptTokens, "prompt");
    if (completionTokens !== null) tokens(completionTokens, "completion");
  };
}

const CLASSES: readonly OutcomeClass[] = ["success", "neutral", "failure", "connection", "shared"];

function countAttempts(exposition: Exposition, { snapshot, settings }: MetricsView) {
  const workerIds = (): string[] => snapshot().workers.map(({ id }) => id);
  const attempts = createCounter(exposition, {
    name: "router_attempts_total",
    help: "Tries on workers, by how they count: success, neutral, failure, connection, shared.",
    labels: ["worker_id", "class"],
    known: { first: workerIds, second: CLASSES, only: true },
  });
  const cooldowns = createCounter(exposition, {
    name: "router_cooldowns_total",
    help: "Times that a worker was taken out for its failures; a probe that fails counts again.",
    labels: ["worker_id"],
    known: { first: workerIds, only: true },
  });
  const decisions = createCounter(exposition, {
    name: "router_decisions_total",
    help: "Routing decisions, by strategy and whether a worker was found.",
    labels: ["strategy", "outcome"],
    known: { first: () => [settings().strategy.name], second: ["chosen", "nobody"] },
  });
  const rejections = createCounter(exposition, {
    name: "router_rejections_total",
    help: "Decisions that found nobody, by each filter that turned a worker of the model away (serves_model: there is none).",
    labels: ["filter"],
    known: { first: () => settings().strategy.filters.map(({ name }) => name) },
  });
  return {
    attemptEnded: (workerId: string, outcome: OutcomeClass) => attempts(1, workerId, outcome),
    cooledDown: (workerId: string) => cooldowns(1, workerId),
    decided: (strategy: string, found: boolean) =>
      decisions(1, strategy, found ? "chosen" : "nobody"),
    turnedAway(filters: Iterable<string>): void {
      for (const filter of filters) rejections(1, filter);
    },
  };
}

const LIMITS = ["request_limit", "token_limit"];

function countRefusals(exposition: Exposition) {
  const errors = createCounter(exposition, {
    name: "router_errors_total",
    help: "Errors that clients were told, and jobs ended with, by code (errors.md): each once, on any route.",
    labels: ["code"],
    known: { first: () => Object.keys(ERRORS) },
  });
  const quotaRefusals = createCounter(exposition, {
    name: "router_quota_refusals_total",
    help: "Requests and batches refused because their user had used up a limit, by the limit.",
    labels: ["limit"],
    known: { first: () => LIMITS },
  });
  const shed = createCounter(exposition, {
    name: "router_shed_requests_total",
    help: "New work refused because the router itself was overloaded, by band (unread = whatever it was).",
    labels: ["band"],
    known: { first: () => [...BANDS.slice(1), "unread"] },
  });
  let refusedConnections = 0;
  registerTotal(
    exposition,
    {
      name: "router_refused_connections_total",
      help: "Clients' connections above the limit that were closed without an answer (the first 32 above it are answered OVERLOADED).",
    },
    () => refusedConnections,
  );
  return {
    errorTold({ code, param }: RouterError): void {
      errors(1, code);
      if (code === "QUOTA_EXCEEDED")
        quotaRefusals(1, LIMITS.find((limit) => limit === param) ?? "");
    },
    shed: (band: number | null) => shed(1, band === null ? "unread" : (BANDS[band] ?? "")),
    connectionRefused(): void {
      refusedConnections += 1;
    },
  };
}

/** How late the loop may be: from a fast garbage collection to one that answers nobody. */
const LATENESS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10];

function countProcess(exposition: Exposition) {
  const reloads = createCounter(exposition, {
    name: "router_config_reloads_total",
    help: "Times the config was read again, by what came of it: applied, refused, unchanged.",
    labels: ["outcome"],
    known: { first: () => ["applied", "refused", "unchanged"] },
  });
  let isRefused = false;
  const refused = {
    name: "router_config_refused",
    help: "1 = the config was refused when it was read last, and an older one is in force.",
    label: null,
  };
  registerGauge(exposition, refused, () => [["", Number(isRefused)]]);
  const loopDelay = createHistogram(exposition, {
    name: "router_event_loop_delay_seconds",
    help: "The longest that the event loop kept a timer waiting in each quarter of a second.",
    label: null,
    buckets: LATENESS,
  });
  const share = { heap: 0, process: 0 };
  const used = {
    name: "router_memory_used_ratio",
    help: "Share of the memory that the process may have, 0..1: of its heap, and of all. Above 0.95 work is refused.",
    label: "memory",
  };
  registerGauge(exposition, used, () => Object.entries(share));
  return {
    configRead(outcome: ConfigOutcome): void {
      reloads(1, outcome);
      isRefused = outcome === "refused";
    },
    pressed({ loopDelayMs, heapShare, memoryShare }: Pressure): void {
      loopDelay(loopDelayMs / 1000);
      share.heap = heapShare;
      share.process = memoryShare;
    },
  };
}
