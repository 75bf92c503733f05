import fastify, { LogController } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { Leases } from "../admission/leases.ts";
import type { Overload } from "../admission/overload.ts";
import type { Quotas } from "../admission/quotas.ts";
import type { Clock } from "../clock.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { RouteEnd } from "../dispatch/route-request.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Log } from "../log.ts";
import type { ExpectedDurations } from "../requests/expected-duration.ts";
import type { Callbacks } from "../requests/callbacks.ts";
import type { IdempotencyKeys } from "../requests/idempotency.ts";
import type { Jobs } from "../requests/jobs.ts";
import type { JobStore } from "../requests/store.ts";
import type { Connections } from "./connections.ts";
import type { JobTimeouts } from "./envelope.ts";
import type { Boot } from "./find-job.ts";
import { frontDoorOptions, installFrontDoor, type FrontDoor } from "./front-door.ts";
import type { FleetView } from "./gpu-view.ts";
import { serveHalfOpen } from "./half-open.ts";
import type { Identity } from "./keys.ts";
import { installDocs, installOpenapi } from "./openapi.ts";
import type { NewWork } from "./new-work.ts";
import type { RouterApp } from "./router-app.ts";
import { batchRoutes } from "./routes/batch.ts";
import { completeRoutes } from "./routes/complete.ts";
import { cooldownRoutes } from "./routes/cooldown.ts";
import { explainRoutes } from "./routes/explain.ts";
import { gpuRoutes } from "./routes/gpus.ts";
import { healthRoutes, type HealthRoutesDeps } from "./routes/health.ts";
import { jobEventsRoutes } from "./routes/job-events.ts";
import { jobListRoutes } from "./routes/job-list.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { maintenanceRoutes } from "./routes/maintenance.ts";
import { metricsRoutes, type MetricsRoutesDeps } from "./routes/metrics.ts";
import { openaiRoutes } from "./routes/openai.ts";
import { quotaRoutes } from "./routes/quotas.ts";
import { submitRoutes } from "./routes/submit.ts";

export interface ServerDeps {
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly door: Pick<FrontDoor, "settings" | "bodyLimitMb">;
  /** Filled in on /docs, in demo mode only. */
  readonly demoKey: string | null;
  readonly boot: Boot;
  readonly state: HealthRoutesDeps["state"];
  readonly connections: Pick<Connections, "watch">;
  readonly overload: Pick<Overload, "lowestBand" | "shortages">;
  readonly newWork: NewWork;
  readonly timeouts: JobTimeouts;
  readonly snapshot: () => FleetSnapshot;
  readonly fleet: Pick<Fleet, "snapshot" | "cordon" | "uncordon" | "retired">;
  readonly leases: Leases;
  readonly quotas: Quotas;
  readonly cooldowns: Cooldowns;
  readonly dispatcher: Dispatcher;
  readonly jobs: Jobs;
  readonly callbacks: Pick<Callbacks, "check" | "send">;
  readonly store: JobStore;
  readonly expected: ExpectedDurations;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly reports: {
    readonly metrics: MetricsRoutesDeps["prometheus"];
    readonly users: { rows(): ReturnType<MetricsRoutesDeps["users"]> };
    readonly requestEnded: (request: RoutedRequest, end: RouteEnd) => void;
    readonly errorTold: FrontDoor["onError"];
  };
}

/** The front door: strict checks first, then one file of routes per resource. */
export async function createServer(deps: ServerDeps): Promise<RouterApp> {
  const { clock, log } = deps;
  const onError = deps.reports.errorTold;
  const door: FrontDoor = { ...deps.door, clock, log, onError, publicPrefixes: ["/docs"] };
  const app: RouterApp = fastify({
    ...frontDoorOptions(door),
    // One line per request is written when it ends; the framework's own two would double it.
    logController: new LogController({ disableRequestLogging: true }),
  }).withTypeProvider();
  serveHalfOpen(app.server, clock);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  deps.connections.watch(app);
  await installFrontDoor(app, door);
  await installOpenapi(app, deps);
  await app.register(async (scope: RouterApp) => registerRoutes(scope, deps));
  await installDocs(app, deps.demoKey);
  return app;
}

function registerRoutes(app: RouterApp, deps: ServerDeps): void {
  const { clock, log, timeouts, quotas, dispatcher, reports, snapshot } = deps;
  const startedAtMs = clock.now();
  const uptimeMs = (): number => Math.round(clock.now() - startedAtMs);
  const fleetView = (identity: Identity): FleetView => viewFleet(deps, identity);
  healthRoutes(app, { ...deps, bootId: deps.boot.id, uptimeMs, nowMs: () => clock.now() });
  registerJobRoutes(app, deps);
  explainRoutes(app, { clock, timeouts, quotas, explainRequest: dispatcher.explainRequest });
  gpuRoutes(app, fleetView);
  const lookAgain = dispatcher.limitsChanged;
  cooldownRoutes(app, { ...deps, lookAgain });
  maintenanceRoutes(app, { ...deps, lookAgain, ownLeases: (index) => deps.leases.own(index) });
  quotaRoutes(app, {
    ...{ clock, quotas, limitsChanged: dispatcher.limitsChanged },
    gpusHeld: (user) => deps.leases.placementCount(user),
  });
  metricsRoutes(app, {
    prometheus: reports.metrics,
    users: () => reports.users.rows(),
    fleetView,
    openLeases: () => deps.leases.openCount,
    queuedRequests: () => dispatcher.queue.size,
    uptimeMs,
  });
  openaiRoutes(app, {
    clock,
    bodyLimitMb: deps.door.bodyLimitMb,
    timeouts,
    quotas,
    routeRequest: dispatcher.routeRequest,
    snapshot,
    newWork: deps.newWork,
    onEnd: reports.requestEnded,
    onDefect: ({ id }, err) => log.error({ requestId: id, err }, "routing failed"),
  });
}

function registerJobRoutes(app: RouterApp, deps: ServerDeps): void {
  const { dispatcher, quotas } = deps;
  const { placeOf: place, explainRequest: explain } = dispatcher;
  const submission = { ...deps, place, explain };
  submitRoutes(app, submission);
  batchRoutes(app, {
    ...submission,
    permanentRefusal: dispatcher.permanentRefusal,
    checkRoom: dispatcher.checkRoom,
    reserve: (user, count) =>
      quotas.reserveMany(user, Array<number>(count).fill(dispatcher.meanTokens())),
  });
  jobRoutes(app, submission);
  jobListRoutes(app, submission);
  jobEventsRoutes(app, submission);
  completeRoutes(app, { ...submission, placements: dispatcher.placements });
}

function viewFleet(
  { clock, snapshot, fleet, leases, cooldowns, dispatcher }: ServerDeps,
  identity: Identity,
): FleetView {
  return {
    identity,
    nowMs: clock.now(),
    wallMs: clock.wallMs(),
    snapshot: snapshot(),
    retired: () => fleet.retired(),
    ownLeases: (index) => leases.own(index),
    queuedFor: (models) => dispatcher.queue.sizeFor(models),
    openOn: (index) => leases.openOn(index),
    cooldownOf: (index) => cooldowns.describe(index),
    errorRateOf: (index) => cooldowns.errorRate(index),
  };
}
