import { randomInt, randomUUID } from "node:crypto";
import { Leases } from "./admission/leases.ts";
import type { Clock } from "./clock.ts";
import type { Config, KnownNames } from "./config/schema.ts";
import { createDispatcher, type DispatchSettings } from "./dispatch/dispatcher.ts";
import { failureOf } from "./dispatch/give-up.ts";
import { learnFrom } from "./dispatch/learn.ts";
import { reportOf } from "./dispatch/request-report.ts";
import type { RouteEnd, RouteObserver, RouteRequest } from "./dispatch/route-request.ts";
import type { RoutedRequest } from "./dispatch/routed-request.ts";
import { Cooldowns } from "./failures/cooldowns.ts";
import { createFleetLoop, type FleetLoop, type FleetSettings } from "./fleet/fleet-loop.ts";
import type { FleetSnapshot } from "./fleet/snapshot.ts";
import { workerSpecOf } from "./fleet/worker-spec.ts";
import { ENGINE_NAMES, type Worker } from "./fleet/worker.ts";
import { countOpenAnswers, drain } from "./http/drain.ts";
import { createKeyDirectory } from "./http/keys.ts";
import type { RouterApp } from "./http/router-app.ts";
import { createServer } from "./http/server.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./observability/metrics.ts";
import { UsageByUser } from "./observability/usage-by-user.ts";
import { ExpectedDurations } from "./requests/expected-duration.ts";
import type { Job } from "./requests/job.ts";
import { Jobs } from "./requests/jobs.ts";
import { JobStore } from "./requests/store.ts";
import { explain } from "./routing/explain.ts";
import { Random } from "./routing/random.ts";
import { buildStrategy, ROUTING_NAMES } from "./routing/strategies.ts";

export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Filled in on /docs; demo mode only. */
  readonly demoKey: string | null;
}

export interface App {
  readonly server: RouterApp;
  /** Resolves with the address that it listens on. Rejects if the port is taken. */
  listen(): Promise<string>;
  /** Begins to poll; resolves after the first round. */
  start(): Promise<void>;
  /** Stops accepting, lets what runs finish within api.drain_timeout, then ends it. */
  close(): Promise<void>;
}

/** What a config may name. */
export const KNOWN_NAMES: KnownNames = { ...ROUTING_NAMES, engines: ENGINE_NAMES };

const MS = 1000;
const MIB = 1024 * 1024;

/** The wiring diagram: every part is made here, once, by hand, and given what it needs. */
export async function createApp(options: AppOptions): Promise<App> {
  const { config, clock, log } = options;
  const leases = new Leases(clock);
  const ownLeases = (workerIndex: number): number => leases.own(workerIndex);
  const loop = createFleetLoop({ clock, log, ownLeases }, fleetSettings(config));
  const cooldowns = createCooldowns(options, loop);
  const reports = createReports(options, { loop, leases, cooldowns, jobs: () => work.jobs });
  const snapshot = (): FleetSnapshot => loop.fleet.snapshot();
  const isAlive = (worker: Worker): Promise<boolean> => loop.isAlive(worker);
  const random = new Random(randomInt(2 ** 32));
  const { observer, requestEnded } = reports;
  const dispatcher = createDispatcher(
    { clock, random, snapshot, leases, cooldowns, isAlive, observer },
    dispatchSettings(config),
  );
  const work: JobParts = createJobs(options, {
    routeRequest: dispatcher.routeRequest,
    requestEnded,
  });
  const state = { draining: false, started: false };
  const server = await createServer({
    ...options,
    bootId: randomUUID(),
    state,
    ...frontSettings(config),
    snapshot,
    leases,
    cooldowns,
    dispatcher,
    reports,
    ...work,
  });
  const openAnswers = countOpenAnswers(server.server);
  const open = (): number => openAnswers() + work.jobs.runningCount;
  return {
    server,
    listen: () => server.listen({ host: config.api.host, port: config.api.port }),
    async start() {
      await loop.start();
      state.started = true;
    },
    async close() {
      state.draining = true;
      const timeoutMs = config.api.drain_timeout * MS;
      log.info({ open: open(), timeoutMs }, "stopping");
      const cutOff = (): void => {
        log.warn({ open: open(), timeoutMs }, "drain timeout over, requests cut off");
        dispatcher.abandonAll();
      };
      await drain({ server, clock, timeoutMs, open, cutOff });
      await Promise.all([loop.close(), dispatcher.close()]);
    },
  };
}

interface JobParts {
  readonly jobs: Jobs;
  readonly store: JobStore;
  readonly expected: ExpectedDurations;
}

function createJobs(
  { config, clock, log }: AppOptions,
  deps: {
    readonly routeRequest: RouteRequest;
    readonly requestEnded: (request: RoutedRequest, end: RouteEnd) => void;
  },
): JobParts {
  const { ttl, max_mb: maxMb } = config.jobs;
  const store = new JobStore({ clock, ttlMs: ttl * MS, maxBytes: maxMb * MIB });
  const expected = new ExpectedDurations();
  const onEnd = (job: Job, end: RouteEnd): void => {
    expected.learn(job);
    deps.requestEnded(job.request, end);
  };
  const onDefect = ({ id }: RoutedRequest, err: unknown): void =>
    log.error({ requestId: id, err }, "routing failed");
  const jobs = new Jobs({ clock, store, routeRequest: deps.routeRequest, onEnd, onDefect });
  return { jobs, store, expected };
}

function createCooldowns({ config, clock, log }: AppOptions, { fleet }: FleetLoop): Cooldowns {
  const { error_threshold: errorThreshold, gpu_cooldown_period: period } = config.error_handler;
  return new Cooldowns({
    clock,
    errorThreshold,
    cooldownMs: period * MS,
    onChange({ workerIndex, kind, reason }) {
      const worker = fleet.snapshot().workers.find(({ index }) => index === workerIndex);
      const fields = { workerId: worker?.id, gpuIds: worker?.gpuIds, reason };
      if (kind === "recovered") log.info(fields, "worker recovered from its cooldown");
      else log.warn({ ...fields, cooldownS: period }, "worker cooling down");
    },
  });
}

interface ReportedParts {
  readonly loop: FleetLoop;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  readonly jobs: () => Jobs;
}

/** What is told and not asked: metrics, the log, and what attempts teach the fleet. */
function createReports({ config, clock, log }: AppOptions, parts: ReportedParts) {
  const { loop, leases, cooldowns, jobs } = parts;
  const metrics = createMetrics({
    nowMs: () => clock.now(),
    snapshot: () => loop.fleet.snapshot(),
    ownLeases: (index) => leases.own(index),
    isCooling: (index) => cooldowns.blocks(index),
    runningJobs: () => jobs().runningCount,
  });
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
      if (job === undefined && !config.api.debug) return;
      const decision = explain(question, choice);
      job?.decided(choice.worker, decision, clock.wallMs());
      if (config.api.debug) log.debug({ requestId: request.id, decision }, "decision");
    },
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

function frontSettings({ auth, network, api, request_router: router }: Config) {
  return {
    door: {
      keys: createKeyDirectory(auth.keys),
      allowedCidrs: network.allowed_cidrs,
      trustedProxies: network.trusted_proxies,
      bodyLimitMb: api.body_limit_mb,
    },
    timeouts: { defaultMs: router.request_timeout * MS, maxMs: router.max_timeout * MS },
  };
}

function fleetSettings({ gpu_monitoring, error_handler, network, workers }: Config): FleetSettings {
  const { url, urls, token } = gpu_monitoring;
  return {
    workers: workers.map(workerSpecOf),
    workerHosts: network.worker_hosts,
    maxTemperatureC: gpu_monitoring.max_temperature,
    monitorUrls: url === null ? urls : [url, ...urls],
    monitorToken: token,
    updateIntervalMs: gpu_monitoring.update_interval * MS,
    healthCheckIntervalMs: gpu_monitoring.health_check_interval * MS,
    retry: { maxRetries: error_handler.max_retries, delayMs: error_handler.retry_delay * MS },
  };
}

function dispatchSettings(config: Config): DispatchSettings {
  const { request_router: router, gpu_monitoring: monitoring, load_balancer: balancer } = config;
  return {
    strategy: buildStrategy({
      name: balancer.strategy,
      weights: balancer.weights,
      pipelines: config.strategies,
    }),
    retry: { maxRetries: router.max_retries, delayMs: router.retry_delay * MS },
    maxTemperatureC: monitoring.max_temperature,
    foreignFadeMs: 2 * monitoring.update_interval * MS,
    streamIdleMs: router.stream_idle_timeout * MS,
    maxAnswerBytes: router.max_response_mb * MIB,
  };
}
