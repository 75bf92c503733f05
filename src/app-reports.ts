import type { Leases } from "./admission/leases.ts";
import type { Overload } from "./admission/overload.ts";
import type { Queue } from "./admission/queue.ts";
import type { Quotas } from "./admission/quotas.ts";
import type { Clock } from "./clock.ts";
import { failureOf } from "./dispatch/give-up.ts";
import { learnFrom } from "./dispatch/learn.ts";
import { reportOf } from "./dispatch/request-report.ts";
import type { RouteEnd, RouteObserver } from "./dispatch/route-request.ts";
import type { RoutedRequest } from "./dispatch/routed-request.ts";
import type { Cooldowns } from "./failures/cooldowns.ts";
import type { FleetLoop } from "./fleet/fleet-loop.ts";
import type { Log } from "./log.ts";
import type { MetricsView } from "./observability/gauges.ts";
import { createMetrics, type Metrics } from "./observability/metrics.ts";
import { UsageByUser } from "./observability/usage-by-user.ts";
import type { Jobs } from "./requests/jobs.ts";
import { explain } from "./routing/explain.ts";

interface ReportedParts {
  readonly loop: FleetLoop;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  readonly quotas: Quotas;
  readonly overload: Pick<Overload, "lowestBand">;
  readonly queue: () => Pick<Queue, "sizeOfBand" | "bytes">;
  readonly jobs: () => Jobs;
  /** api.debug: decisions are logged. */
  readonly retryBudgetTokens: () => number;
  readonly isDebug: () => boolean;
}

interface ReportOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly logLinesDropped?: () => number;
}

/** What is told and not asked: metrics, the log, and what attempts teach the fleet. */
export function createReports(
  { clock, log, logLinesDropped = () => 0 }: ReportOptions,
  parts: ReportedParts,
) {
  const { loop, jobs, isDebug } = parts;
  const metrics = createMetricsOf(parts, { nowMs: () => clock.now(), logLinesDropped });
  const users = new UsageByUser();
  const learning = {
    speeds: loop.speeds,
    modelMissing: (index: number, model: string) => loop.fleet.modelMissing(index, model),
    checkWorker: (index: number) => loop.check(index),
  };
  const observer: RouteObserver = {
    onDecision(request, question, choice) {
      metrics.decided(question.strategy.name, choice.worker !== null);
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
    users.add(report);
    log.info(report, "request");
  };
  return { metrics, users, observer, requestEnded };
}

function createMetricsOf(
  parts: ReportedParts,
  view: Pick<MetricsView, "nowMs" | "logLinesDropped">,
): Metrics {
  const { loop, leases, cooldowns, quotas, overload, queue, jobs } = parts;
  return createMetrics({
    ...view,
    lowestBand: () => overload.lowestBand,
    snapshot: () => loop.fleet.snapshot(),
    ownLeases: (index) => leases.own(index),
    isCooling: (index) => cooldowns.isCooling(index),
    runningJobs: () => jobs().runningCount,
    queue,
    leaseSums() {
      const { overWorkers, overUsers } = leases.sums;
      return { open: leases.openCount, over_workers: overWorkers, over_users: overUsers };
    },
    openReservations: () => quotas.openCount,
    retryBudgetTokens: parts.retryBudgetTokens,
  });
}
