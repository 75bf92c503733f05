import type { Leases } from "./admission/leases.ts";
import type { Overload } from "./admission/overload.ts";
import type { Quotas } from "./admission/quotas.ts";
import type { AppSettings } from "./app-settings.ts";
import type { Clock } from "./clock.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import { failureOf } from "./dispatch/give-up.ts";
import { learnFrom } from "./dispatch/learn.ts";
import { PLACEMENT, reportOf } from "./dispatch/request-report.ts";
import type { RouteEnd, RouteObserver } from "./dispatch/route-request.ts";
import type { RoutedRequest } from "./dispatch/routed-request.ts";
import { RouterError } from "./errors.ts";
import type { Cooldowns } from "./failures/cooldowns.ts";
import type { FleetLoop } from "./fleet/fleet-loop.ts";
import { API_PATHS } from "./fleet/worker.ts";
import type { Connections } from "./http/connections.ts";
import type { Log } from "./log.ts";
import type { LogCounts } from "./observability/logger.ts";
import type { MetricsView } from "./observability/metrics-view.ts";
import { createMetrics, type Metrics } from "./observability/metrics.ts";
import { UsageByUser } from "./observability/usage-by-user.ts";
import type { Callbacks } from "./requests/callbacks.ts";
import type { Jobs } from "./requests/jobs.ts";
import { explain, rejectingFilters } from "./routing/explain.ts";

interface ReportedParts {
  readonly loop: FleetLoop;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  readonly quotas: Quotas;
  readonly overload: Pick<Overload, "lowestBand">;
  readonly jobs: () => Jobs;
  /** Parts that are made after the reports, looked at when a scrape asks. */
  readonly scraped: () => {
    readonly dispatcher: Pick<Dispatcher, "queue" | "retryBudget">;
    readonly connections: Pick<Connections, "openCount" | "limit">;
    readonly callbacks: Pick<Callbacks, "pendingCount">;
  };
  readonly settings: () => AppSettings;
}

interface ReportOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly logCounts?: () => LogCounts;
}

const NONE_LOST = (): LogCounts => {
  return { droppedByStdout: 0, droppedByService: 0, shipped: 0, backlogBytes: 0 };
};

/** What is told and not asked: metrics, the log, and what attempts teach the fleet. */
export function createReports(
  { clock, log, version, logCounts = NONE_LOST }: ReportOptions,
  parts: ReportedParts,
) {
  const { loop, jobs } = parts;
  const isDebug = (): boolean => parts.settings().config.api.debug;
  const metrics = createMetricsOf(parts, { version, nowMs: () => clock.now(), logCounts });
  const errorTold = countOnce(metrics);
  const users = new UsageByUser();
  const learning = {
    speeds: loop.speeds,
    modelMissing: (index: number, model: string) => loop.fleet.modelMissing(index, model),
    checkWorker: (index: number) => loop.check(index),
  };
  const observer: RouteObserver = {
    onDecision(request, question, choice) {
      metrics.decided(question.strategy.name, choice.worker !== null);
      if (choice.worker === null) metrics.turnedAway(rejectingFilters(question));
      const job = jobs().of(request);
      // One that waits is explained when somebody asks: kept, its reasons would fill the memory.
      const isKept = job !== undefined && choice.worker !== null;
      if (!isKept && !isDebug()) return;
      const decision = explain(question, choice);
      if (isKept) job.decided(choice.worker, decision, clock.wallMs());
      if (isDebug()) log.debug({ requestId: request.id, decision }, "decision");
    },
    onQueued: (request) => jobs().of(request)?.moveTo("queued", clock.wallMs()),
    onAttemptEnd(request, record, outcome) {
      metrics.attemptEnded(record.worker.id, outcome);
      learnFrom(record, request, learning);
      if (outcome === "success" || outcome === "neutral") return;
      const { worker, outcome: end } = record;
      const fields = { requestId: request.id, workerId: worker.id, failure: failureOf(end) };
      log.warn(fields, "attempt failed");
    },
  };
  const requestEnded = (request: RoutedRequest, end: RouteEnd): void => {
    const report = reportOf(request, end, clock.now());
    metrics.requestEnded(report);
    if (end.error !== null) errorTold(end.error);
    users.add(report);
    log.info(report, "request");
  };
  return { metrics, users, observer, requestEnded, errorTold };
}

/** One that refuses a job is both its answer and its end; a batch tells it in words of its own. */
function countOnce(metrics: Metrics): (error: RouterError) => void {
  const counted = new WeakSet<RouterError>();
  return (error) => {
    const { code, cause } = error;
    const first = cause instanceof RouterError && cause.code === code ? cause : error;
    if (counted.has(first)) return;
    counted.add(first);
    metrics.errorTold(first);
  };
}

function createMetricsOf(
  parts: ReportedParts,
  view: Pick<MetricsView, "version" | "nowMs" | "logCounts">,
): Metrics {
  const { loop, leases, cooldowns, quotas, overload, jobs, scraped, settings } = parts;
  return createMetrics({
    ...view,
    lowestBand: () => overload.lowestBand,
    snapshot: () => loop.fleet.snapshot(),
    ownLeases: (index) => leases.own(index),
    isCooling: (index) => cooldowns.isCooling(index),
    runningJobs: () => jobs().runningCount,
    pendingCallbacks: () => scraped().callbacks.pendingCount,
    queue: () => scraped().dispatcher.queue,
    retryBudgetTokens: () => scraped().dispatcher.retryBudget.tokens,
    connections: () => scraped().connections,
    settings: () => settings().dispatch,
    paths: [...API_PATHS, PLACEMENT],
    leaseSums() {
      const { overWorkers, overUsers } = leases.sums;
      return { open: leases.openCount, over_workers: overWorkers, over_users: overUsers };
    },
    openReservations: () => quotas.openCount,
  });
}
