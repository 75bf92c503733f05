import { randomInt, randomUUID } from "node:crypto";
import { Leases } from "./admission/leases.ts";
import { MemoryQuotaStore } from "./admission/memory-quota-store.ts";
import { Quotas } from "./admission/quotas.ts";
import { createReports } from "./app-reports.ts";
import {
  dispatchSettings,
  fleetSettings,
  frontSettings,
  MIB,
  MS,
  quotaSettings,
} from "./app-settings.ts";
import type { Clock } from "./clock.ts";
import type { Config, KnownNames } from "./config/schema.ts";
import { createDispatcher, type Dispatcher } from "./dispatch/dispatcher.ts";
import type { RouteEnd, RouteRequest } from "./dispatch/route-request.ts";
import type { RoutedRequest } from "./dispatch/routed-request.ts";
import { Cooldowns } from "./failures/cooldowns.ts";
import { createFleetLoop, type FleetLoop } from "./fleet/fleet-loop.ts";
import type { FleetSnapshot } from "./fleet/snapshot.ts";
import { ENGINE_NAMES } from "./fleet/worker.ts";
import { countOpenAnswers, drain } from "./http/drain.ts";
import type { RouterApp } from "./http/router-app.ts";
import { createServer } from "./http/server.ts";
import type { Log } from "./log.ts";
import { createCallbacks, type Callbacks } from "./requests/callbacks.ts";
import { ExpectedDurations } from "./requests/expected-duration.ts";
import { IdempotencyKeys } from "./requests/idempotency.ts";
import type { Job } from "./requests/job.ts";
import { Jobs } from "./requests/jobs.ts";
import { JobStore } from "./requests/store.ts";
import { Random } from "./routing/random.ts";
import { ROUTING_NAMES } from "./routing/strategies.ts";

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

/** The wiring diagram: every part is made here, once, by hand, and given what it needs. */
export async function createApp(options: AppOptions): Promise<App> {
  const { config, clock, log } = options;
  const leases = new Leases(clock);
  const quotas = createQuotas(options);
  const ownLeases = (workerIndex: number): number => leases.own(workerIndex);
  const loop = createFleetLoop({ clock, log, ownLeases }, fleetSettings(config));
  const cooldowns = createCooldowns(options, loop);
  const reports = createReports(options, {
    ...{ loop, leases, cooldowns, quotas, jobs: () => work.jobs },
    queue: () => dispatcher.queue,
  });
  const snapshot = (): FleetSnapshot => loop.fleet.snapshot();
  const { observer, requestEnded } = reports;
  const dispatcher: Dispatcher = createDispatcher(
    {
      ...{ clock, snapshot, leases, cooldowns, observer },
      random: new Random(randomInt(2 ** 32)),
      isAlive: (worker) => loop.isAlive(worker),
      gpuLimitOf: (user) => quotas.limitsOf(user).gpuLimit,
      reserve: (user, tokens) => quotas.reserve(user, tokens),
    },
    dispatchSettings(config),
  );
  const { routeRequest } = dispatcher;
  const work = createJobs(options, { routeRequest, requestEnded });
  const state = { draining: false, started: false };
  const server = await createServer({
    ...{ ...options, ...frontSettings(config), ...work },
    ...{ snapshot, leases, quotas, cooldowns, dispatcher, reports, state },
    bootId: randomUUID(),
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
      await Promise.all([loop.close(), dispatcher.close(), work.callbacks.close()]);
    },
  };
}

interface JobParts {
  readonly callbacks: Callbacks;
  readonly jobs: Jobs;
  readonly store: JobStore;
  readonly expected: ExpectedDurations;
  readonly idempotencyKeys: IdempotencyKeys;
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
  const { allowed_hosts: allowedHosts, secrets } = config.callbacks;
  const callbacks = createCallbacks({ clock, log, allowedHosts, secrets });
  const expected = new ExpectedDurations();
  const onEnd = (job: Job, end: RouteEnd): void => {
    expected.learn(job);
    deps.requestEnded(job.request, end);
  };
  const onDefect = ({ id }: RoutedRequest, err: unknown): void =>
    log.error({ requestId: id, err }, "routing failed");
  const jobs = new Jobs({ ...deps, callbacks, clock, store, onEnd, onDefect });
  const isKept = (job: Job): boolean => store.holds(job);
  const idempotencyKeys = new IdempotencyKeys({ clock, isKept });
  return { callbacks, jobs, store, expected, idempotencyKeys };
}

function createQuotas({ config, clock }: AppOptions): Quotas {
  const settings = quotaSettings(config);
  const store = new MemoryQuotaStore(clock, settings.windowMs);
  return new Quotas({ ...settings, clock, store });
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
