import { Leases } from "../admission/leases.ts";
import type { Quotas } from "../admission/quotas.ts";
import { createDispatcher, type Dispatcher } from "../dispatch/dispatcher.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import { createFleetLoop, type FleetLoop } from "../fleet/fleet-loop.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Log } from "../log.ts";
import { Jobs } from "../requests/jobs.ts";
import { JobStore } from "../requests/store.ts";
import type { Choice } from "../routing/decide.ts";
import { Dice } from "./dice.ts";
import { Ledger } from "./ledger.ts";
import { createObserver } from "./observer.ts";
import type { Scene, SceneSettings } from "./scene.ts";
import {
  createNetwork,
  createQuotas,
  createWorkers,
  fleetSettings,
  peersIn,
  type Told,
} from "./surroundings.ts";
import { Timeline } from "./virtual-clock.ts";
import type { VirtualWorker } from "./virtual-worker.ts";
import { WatchedCooldowns } from "./watched-cooldowns.ts";

/** A rule was broken: the first one is what counts, the rest may follow from it. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export interface Witness {
  /** Something happened; the text is only made where somebody reads it. */
  readonly tell: (text: () => string) => void;
  /** A decision was made that has a worker. */
  readonly onChoice: (world: World, request: RoutedRequest, choice: Choice) => void;
}

/** The router's own parts on virtual time, before virtual workers and a virtual monitor. */
export interface World {
  readonly scene: Scene;
  readonly timeline: Timeline;
  /** When the scene began, on the timeline. */
  readonly startedAtMs: number;
  readonly workers: readonly VirtualWorker[];
  readonly leases: Leases;
  readonly quotas: Quotas;
  readonly cooldowns: WatchedCooldowns;
  readonly loop: FleetLoop;
  readonly dispatcher: Dispatcher;
  readonly jobs: Jobs;
  readonly store: JobStore;
  readonly ledger: Ledger;
  readonly tell: Witness["tell"];
  /** Tells of a broken rule; the run ends after this step. */
  readonly breach: (what: string) => void;
  /** The first one; null = none so far. */
  readonly violation: () => Violation | null;
  /** Questions under way whether a worker is alive. */
  readonly judging: () => number;
  readonly told: Told;
  /** `without`: places in the scene of workers that are left out. */
  readonly reload: (settings: SceneSettings, without: readonly number[]) => void;
  /** When the last request for a model went to a worker that was cooling. */
  readonly earlyProbes: Map<string, number>;
}

type Basis = Pick<
  World,
  "scene" | "timeline" | "told" | "leases" | "quotas" | "ledger" | "workers" | "breach" | "tell"
>;

/** The wiring diagram of app.ts, as far as it goes without HTTP. */
export function createWorld(scene: Scene, witness: Witness): World {
  const timeline = new Timeline(new Dice(scene.seed, "clock").between(0, 1000));
  const clock = timeline.router;
  let violation: Violation | null = null;
  const breach = (what: string): void => {
    violation ??= new Violation(what);
    witness.tell(() => `BROKEN: ${what}`);
  };
  const told: Told = { settings: scene.settings, workers: scene.workers };
  const leases = new Leases(clock);
  const ledger = new Ledger(scene, timeline, breach);
  const workers = createWorkers(scene, timeline, ledger);
  const quotas = createQuotas(scene, timeline);
  const { tell } = witness;
  const basis = { scene, timeline, told, leases, quotas, ledger, workers, breach, tell };
  const routing = createRouting(basis, () => createObserver(() => world, witness));
  const { dispatcher, loop } = routing;
  const store = new JobStore({ clock, ttlMs: 3_600_000, maxBytes: 2 ** 20 });
  const jobs = new Jobs({
    ...{ clock, store, routeRequest: dispatcher.routeRequest },
    callbacks: { send: () => undefined },
    onEnd: (job, end) => ledger.ended(job.request, end),
    onDefect: (request, cause) => breach(`${request.id} ran into a defect: ${stackOf(cause)}`),
  });
  const world: World = {
    ...basis,
    ...routing,
    ...{ jobs, store },
    startedAtMs: timeline.nowMs,
    violation: () => violation,
    earlyProbes: new Map(),
    reload(settings, without) {
      told.settings = settings;
      told.workers = scene.workers.filter((_, at) => !without.includes(at));
      ledger.allow(settings.dispatch.retry.maxRetries);
      loop.reconfigured();
      dispatcher.reconfigured();
    },
  };
  return world;
}

function createRouting(basis: Basis, observer: () => ReturnType<typeof createObserver>) {
  const { scene, timeline, told, leases, quotas, workers, breach, tell } = basis;
  const clock = timeline.router;
  const { random } = new Dice(scene.seed, "router");
  const loop = createFleetLoop(
    {
      ...{ clock, log: logTo(tell), network: createNetwork(scene, timeline, workers) },
      ownLeases: (workerIndex) => leases.own(workerIndex),
      random: () => random.next(),
      listener: {
        isCurious: (index) => told.settings.cooldowns.earlyRecovery && cooldowns.isCooling(index),
        checked: (index, isWell) => cooldowns.checked(index, isWell),
      },
    },
    () => fleetSettings(scene, told),
  );
  const snapshot = () => loop.fleet.snapshot();
  const cooldowns = new WatchedCooldowns(
    {
      clock,
      settings: () => told.settings.cooldowns,
      peersOf: (workerIndex) => peersIn(snapshot(), workerIndex),
      onChange: (change) => tell(() => `cooldown ${text(change)}`),
    },
    breach,
  );
  let judging = 0;
  const isAlive = async (worker: Worker): Promise<boolean> => {
    judging += 1;
    const answer = await loop.isAlive(worker);
    judging -= 1;
    return answer;
  };
  const dispatcher = createDispatcher(
    {
      ...{ clock, random, snapshot, leases, cooldowns, isAlive, observer: observer() },
      gpuLimitOf: (user) => quotas.limitsOf(user).gpuLimit,
      reserve: (user, tokens) => quotas.reserve(user, tokens),
      connect: (origin) => workers.find(({ plan }) => plan.spec.url.startsWith(origin))!.connect(),
    },
    () => told.settings.dispatch,
  );
  return { loop, cooldowns, dispatcher, judging: () => judging };
}

function logTo(tell: Witness["tell"]): Log {
  const write = (fields: object, message: string): void =>
    tell(() => `log: ${message} ${text(fields)}`);
  return { debug: write, info: write, warn: write, error: write };
}

function text(value: object): string {
  return JSON.stringify(value);
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
