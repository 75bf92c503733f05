import { randomInt, randomUUID } from "node:crypto";
import { Leases } from "./admission/leases.ts";
import { MemoryQuotaStore } from "./admission/memory-quota-store.ts";
import { Overload } from "./admission/overload.ts";
import { Quotas } from "./admission/quotas.ts";
import { createCooldowns } from "./app-cooldowns.ts";
import { LiveSettings } from "./app-live-settings.ts";
import { createReload, type Reload } from "./app-reload.ts";
import { createReports } from "./app-reports.ts";
import { MIB, MS } from "./app-settings.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Config, KnownNames } from "./config/schema.ts";
import { createDispatcher, type Dispatcher } from "./dispatch/dispatcher.ts";
import type { RouteEnd, RouteRequest } from "./dispatch/route-request.ts";
import type { RoutedRequest } from "./dispatch/routed-request.ts";
import type { CooldownSettings } from "./failures/cooldowns.ts";
import { createFleetLoop, type FleetLoop } from "./fleet/fleet-loop.ts";
import type { FleetSnapshot } from "./fleet/snapshot.ts";
import type { CheckListener } from "./fleet/worker-checks.ts";
import { ENGINE_NAMES } from "./fleet/worker.ts";
import { Connections } from "./http/connections.ts";
import { drain } from "./http/drain.ts";
import { createNewWork } from "./http/new-work.ts";
import type { RouterApp } from "./http/router-app.ts";
import { createServer } from "./http/server.ts";
import type { Log } from "./log.ts";
import type { LogCounts } from "./observability/logger.ts";
import type { Metrics } from "./observability/metrics.ts";
import { watchPressure } from "./observability/pressure.ts";
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
  /** What became of the log's lines, for the metrics; where left out, none is lost or shipped. */
  readonly logCounts?: () => LogCounts;
}

export interface App {
  readonly server: RouterApp;
  /** Resolves with the address that it listens on. Rejects if the port is taken. */
  listen(): Promise<string>;
  /** Begins to poll; resolves after the first round. */
  start(): Promise<void>;
  /** Takes up a new config, whole or not at all; running requests go on as they began. */
  readonly reload: Reload;
  /** Says that it is not ready any more, and serves on until it is closed. */
  retire(): void;
  /** Stops accepting, lets what runs finish within api.drain_timeout, then ends it. */
  close(): Promise<void>;
}

/** What a config may name. */
export const KNOWN_NAMES: KnownNames = { ...ROUTING_NAMES, engines: ENGINE_NAMES };

/** The wiring diagram: every part is made here, once, by hand, and given what it needs. */
export async function createApp(options: AppOptions): Promise<App> {
  const { config, clock, log } = options;
  const settings = new LiveSettings(config);
  const leases = new Leases(clock);
  const quotas = createQuotas(options, settings);
  const ownLeases = (workerIndex: number): number => leases.own(workerIndex);
  const listener: CheckListener = {
    isCurious: (index) => cooldownSettings().earlyRecovery && cooldowns.isCooling(index),
    checked: (index, isWell) => cooldowns.checked(index, isWell),
  };
  const loop = createFleetLoop({ clock, log, ownLeases, listener }, () => settings.now.fleet);
  const snapshot = (): FleetSnapshot => loop.fleet.snapshot();
  const cooldownSettings = (): CooldownSettings => settings.now.cooldowns;
  const onCooling = (workerId: string): void => reports.metrics.cooledDown(workerId);
  const cooldowns = createCooldowns({
    ...{ clock, log, snapshot, onCooling },
    settings: cooldownSettings,
  });
  const overload = createOverload(options);
  const reports = createReports(options, {
    ...{ loop, leases, cooldowns, quotas, overload, jobs: () => work.jobs },
    scraped: () => ({ dispatcher, connections, callbacks: work.callbacks }),
    settings: () => settings.now,
  });
  const { observer, requestEnded, metrics } = reports;
  const dispatcher: Dispatcher = createDispatcher(
    {
      ...{ clock, snapshot, leases, cooldowns, observer },
      random: new Random(randomInt(2 ** 32)),
      isAlive: (worker) => loop.isAlive(worker),
      gpuLimitOf: (user) => quotas.limitsOf(user).gpuLimit,
      reserve: (user, tokens) => quotas.reserve(user, tokens),
    },
    () => settings.now.dispatch,
  );
  const { routeRequest } = dispatcher;
  const work = createJobs(options, settings, { routeRequest, requestEnded });
  const state = { draining: false, started: false, retiring: false };
  const connections = new Connections({
    ...{ clock, log, onRefused: () => metrics.connectionRefused() },
    sendsAway: () => state.retiring || overload.isStrained,
  });
  const server = await createServer({
    ...{ ...options, ...work, timeouts: settings.timeouts },
    door: { settings: () => settings.now.door, bodyLimitMb: config.api.body_limit_mb },
    ...{ snapshot, leases, quotas, cooldowns, dispatcher, reports, state, connections, overload },
    fleet: loop.fleet,
    newWork: createNewWork({ state, overload, onShed: (band) => metrics.shed(band) }),
    boot: { id: randomUUID(), startedAtWallMs: clock.wallMs() },
  });
  const pressure = createPressure(options, { overload, metrics });
  const open = (): number => connections.openAnswers + work.jobs.runningCount;
  const { callbacks } = work;
  const parts = { settings, loop, dispatcher, server, connections, pressure, callbacks };
  return {
    server,
    reload: createReload({ settings, log, metrics, quotas, loop, dispatcher }),
    ...createLife(options, { ...parts, state, open }),
  };
}

interface LivingParts {
  readonly settings: LiveSettings;
  readonly state: { draining: boolean; started: boolean; retiring: boolean };
  readonly loop: FleetLoop;
  readonly dispatcher: Dispatcher;
  readonly server: RouterApp;
  readonly connections: Connections;
  readonly pressure: Timer;
  readonly callbacks: Callbacks;
  /** How much is under way. */
  readonly open: () => number;
}

/** From the start to the end. */
function createLife(
  { clock, log }: AppOptions,
  parts: LivingParts,
): Omit<App, "server" | "reload"> {
  const { settings, state, loop, dispatcher, server, connections, pressure, open } = parts;
  const { host, port } = settings.now.config.api;
  return {
    listen: () => server.listen({ host, port }),
    async start() {
      await loop.start();
      state.started = true;
    },
    retire() {
      state.retiring = true;
      connections.sendAway();
      log.info({ open: open() }, "not ready any more, serving on");
    },
    async close() {
      state.draining = true;
      connections.sendAway();
      dispatcher.abandonWaiting();
      const timeoutMs = settings.now.config.api.drain_timeout * MS;
      log.info({ open: open(), timeoutMs }, "stopping");
      const cutOff = (): void => {
        log.warn({ open: open(), timeoutMs }, "drain timeout over, requests cut off");
        dispatcher.abandonAll();
      };
      await drain({ server, clock, timeoutMs, open, cutOff });
      connections.close();
      pressure.cancel();
      await parts.callbacks.finish();
      await Promise.all([loop.close(), dispatcher.close(), parts.callbacks.close()]);
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
  settings: LiveSettings,
  deps: {
    readonly routeRequest: RouteRequest;
    readonly requestEnded: (request: RoutedRequest, end: RouteEnd) => void;
  },
): JobParts {
  const { ttl, max_mb: maxMb } = config.jobs;
  const store = new JobStore({ clock, ttlMs: ttl * MS, maxBytes: maxMb * MIB });
  const callbacks = createCallbacks({ clock, log, settings: () => settings.now.callbacks });
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

function createOverload({ clock, log }: AppOptions): Overload {
  return new Overload({
    clock,
    onChange: (change) => log.warn(change, "other bands refused: the router itself is overloaded"),
  });
}

function createPressure(
  { clock }: AppOptions,
  { overload, metrics }: { readonly overload: Overload; readonly metrics: Metrics },
): Timer {
  return watchPressure(clock, (sample) => {
    overload.sample(sample);
    metrics.pressed(sample);
  });
}

function createQuotas({ config, clock }: AppOptions, { now }: LiveSettings): Quotas {
  const windowMs = config.user_quota_manager.quota_check_interval * MS;
  const store = new MemoryQuotaStore(clock, windowMs);
  return new Quotas({ clock, store, windowMs, settings: now.limits });
}
