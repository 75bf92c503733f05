import { collectDefaultMetrics, Registry } from "prom-client";
import type { RequestReport } from "../dispatch/request-report.ts";
import type { OutcomeClass } from "../failures/classify.ts";
import { registerGauges, registerTotal, type MetricsView } from "./gauges.ts";
import { createCounter, createHistogram } from "./tallies.ts";

/**
 * What is counted as it happens; gauges.ts has what is looked at when a scrape asks. Labels have
 * bounded values: never a user or a raw model.
 */

export interface Metrics {
  requestEnded(report: RequestReport): void;
  attemptEnded(workerId: string, outcome: OutcomeClass): void;
  /** A worker was taken out for its failures. */
  cooledDown(workerId: string): void;
  decided(strategy: string, found: boolean): void;
  /** New work refused because the router itself is overloaded; null: unread, its band unknown. */
  shed(band: number | null): void;
  connectionRefused(): void;
  /** The config was read while the router ran. */
  configRead(outcome: "applied" | "refused" | "unchanged"): void;
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
  const shed = createCounter(registry, {
    name: "router_shed_requests_total",
    help: "New work refused because the router itself was overloaded, by band (unread = whatever it was).",
    labels: ["band"],
  });
  let refusedConnections = 0;
  registerTotal(
    registry,
    { name: "router_refused_connections_total", help: "Clients' connections above the limit." },
    () => refusedConnections,
  );
  return {
    requestEnded(report) {
      const { path, status, totalMs, firstByteMs, promptTokens, completionTokens } = report;
      const wasCut = report.errorCode !== null && status < 300;
      live.requests(1, path, wasCut ? "cut" : String(status));
      live.duration(totalMs / 1000, path);
      if (firstByteMs !== null) live.firstByte(firstByteMs / 1000, path);
      if (report.queueMs > 0) live.queueWait(report.queueMs / 1000, BANDS[report.band] ?? "");
      if (report.attempts > 1) live.retries(report.attempts - 1, path);
      if (promptTokens !== null) live.tokens(promptTokens, "prompt");
      if (completionTokens !== null) live.tokens(completionTokens, "completion");
    },
    attemptEnded: (workerId, outcome) => live.attempts(1, workerId, outcome),
    cooledDown: (workerId) => live.cooldowns(1, workerId),
    decided: (strategy, found) => live.decisions(1, strategy, found ? "chosen" : "nobody"),
    shed: (band) => shed(1, band === null ? "unread" : (BANDS[band] ?? "")),
    connectionRefused() {
      refusedConnections += 1;
    },
    configRead: (outcome) => live.reloads(1, outcome),
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
    retries: createCounter(registry, {
      name: "router_retries_total",
      help: "Attempts after the first of a request, by API path.",
      labels: ["path"],
    }),
    cooldowns: createCounter(registry, {
      name: "router_cooldowns_total",
      help: "Times that a worker was taken out for its failures; a probe that fails counts again.",
      labels: ["worker_id"],
    }),
    decisions: createCounter(registry, {
      name: "router_decisions_total",
      help: "Routing decisions, by strategy and whether a worker was found.",
      labels: ["strategy", "outcome"],
    }),
    reloads: createCounter(registry, {
      name: "router_config_reloads_total",
      help: "Times the config was read again, by what came of it: applied, refused, unchanged.",
      labels: ["outcome"],
    }),
    tokens: createCounter(registry, {
      name: "router_tokens_total",
      help: "Tokens as workers reported them (streams without a report: their events).",
      labels: ["kind"],
    }),
  };
}
