import { FairShare } from "../admission/fair-share.ts";
import type { Leases } from "../admission/leases.ts";
import { OpenList } from "../admission/open-list.ts";
import type { Reservation } from "../admission/quotas.ts";
import type { Waiter } from "../admission/place.ts";
import { Queue, type QueueLimits, type QueueOptions } from "../admission/queue.ts";
import type { Clock } from "../clock.ts";
import type { RouterError } from "../errors.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { RetryPolicy } from "../failures/retry.ts";
import { RetryBudget } from "../failures/retry-budget.ts";
import { SignsOfLife } from "../failures/signs-of-life.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import { decide } from "../routing/decide.ts";
import { explain, type Decision } from "../routing/explain.ts";
import type { Random } from "../routing/random.ts";
import type { RoutingView, Strategy } from "../routing/stages.ts";
import { Attempts, type AttemptSettings, type Connect } from "./attempt.ts";
import { Deadlines } from "./deadlines.ts";
import type { Trip } from "./endings.ts";
import { Placements } from "./placements.ts";
import {
  createRouteRequest,
  type RouteDeps,
  type RouteObserver,
  type RouteRequest,
} from "./route-request.ts";
import type { RoutedRequest } from "./routed-request.ts";
import { Turns } from "./turns.ts";

export interface DispatcherDeps extends Pick<RouteDeps, "isAlive"> {
  readonly clock: Clock;
  readonly random: Random;
  readonly snapshot: () => FleetSnapshot;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  readonly gpuLimitOf: (user: string) => number;
  /** Charges the user's limits. Throws or rejects with what the client is told. */
  readonly reserve: (user: string, tokens: number) => Reservation | Promise<Reservation>;
  readonly observer: RouteObserver;
  /** How workers are reached; over HTTP where it is left out. */
  readonly connect?: Connect;
}

export interface DispatchSettings extends AttemptSettings {
  readonly strategy: Strategy;
  readonly retry: RetryPolicy;
  readonly maxTemperatureC: number;
  /** How fast other routers' load, as workers reported it, loses its weight. */
  readonly foreignFadeMs: number;
  readonly queue: QueueLimits;
}

/** The loop of requests: decide, lease, attempt, relay. */
export interface Dispatcher {
  readonly routeRequest: RouteRequest;
  /** Decides as routeRequest would now, and takes nothing. */
  readonly explainRequest: (request: RoutedRequest) => Decision;
  /** The 404 or 422 of a request that no waiting can help; null = some worker may take it one day. */
  readonly permanentRefusal: (request: RoutedRequest) => RouterError | null;
  /** Throws QUEUE_FULL where so many more of the user's requests could not wait. */
  readonly checkRoom: (user: string, requests: number, bytes: number) => void;
  /** Where a request stands in the queue; null = it does not wait. */
  readonly placeOf: (request: RoutedRequest) => Place | null;
  /** After the settings, or the configured workers, have changed: those who wait may profit. */
  reconfigured(): void;
  /** A limit of some user has changed. */
  readonly limitsChanged: () => void;
  /** What a request takes on average, for those that are reserved beforehand. */
  readonly meanTokens: () => number;
  readonly queue: Pick<Queue, "size" | "bytes" | "sizeOfBand" | "sizeFor">;
  readonly placements: Pick<Placements, "complete">;
  readonly retryBudget: Pick<RetryBudget, "tokens">;
  /** Ends what waits in the queue, at shutdown: it would only be ended later. */
  abandonWaiting(): void;
  /** Ends what still runs, at shutdown: each client hears of it. */
  abandonAll(): void;
  close(): Promise<void>;
}

/** 1 = next; `startsInMs` null = nobody can tell yet. */
export interface Place {
  readonly position: number;
  readonly startsInMs: number | null;
}

/** How soon those who wait profit from what time alone brings, such as the end of a cooldown. */
const LOOK_AGAIN_MS = 250;

/** `settings` are asked at each use, so that a reload counts for all that begins after it. */
export function createDispatcher(
  deps: DispatcherDeps,
  settings: () => DispatchSettings,
): Dispatcher {
  const { clock, random, cooldowns, connect } = deps;
  const deadlines = new Deadlines(clock);
  const signsOfLife = new SignsOfLife();
  const attempts = new Attempts({ settings, clock, deadlines, signsOfLife, connect });
  const placements = new Placements(deadlines);
  const fairShare = new FairShare();
  const { queue, turns } = createTurns(deps, settings, { fairShare, wheel: deadlines });
  const running = new OpenList<Trip>();
  const retryBudget = new RetryBudget(clock);
  const routeRequest = createRouteRequest({
    ...{ ...deps, clock, random, cooldowns, turns, running, retryBudget },
    get retry() {
      return settings().retry;
    },
    reserve: ({ user }) => deps.reserve(user, fairShare.meanTokens),
    attempt: (job) => (job.request.isPlacement ? placements.attempt(job) : attempts.attempt(job)),
  });
  const abandon = (isMeant: (request: RoutedRequest) => boolean): void => {
    for (const { request } of running) {
      if (isMeant(request)) request.abandonment.abandon("shutdown");
    }
  };
  const ticker = clock.every(LOOK_AGAIN_MS, () => {
    if (queue.size > 0) turns.lookAgain();
  });
  return {
    routeRequest,
    explainRequest(request) {
      const question = turns.question(request, []);
      return explain(question, decide(question));
    },
    permanentRefusal: (request) => turns.impossible(request),
    checkRoom(user, requests, bytes) {
      // Without a queue there is no room to ask for: each of them takes a slot, or is refused.
      if (queue.isOn) queue.checkRoomForBatch(user, requests, bytes);
    },
    placeOf: (request) => placeOf(turns.placeOf(request)),
    reconfigured() {
      attempts.keepOnly(deps.snapshot().workers);
      queue.pump({ alsoParked: true });
    },
    limitsChanged: () => queue.pump({ alsoParked: true }),
    meanTokens: () => fairShare.meanTokens,
    queue,
    placements,
    retryBudget,
    abandonWaiting: () => abandon((request) => turns.placeOf(request) !== null),
    abandonAll: () => abandon(() => true),
    async close() {
      ticker.cancel();
      deadlines.close();
      await attempts.close();
    },
  };
}

function createTurns(
  deps: DispatcherDeps,
  settings: () => DispatchSettings,
  { fairShare, wheel }: Pick<QueueOptions, "fairShare" | "wheel">,
): { readonly queue: Queue; readonly turns: Turns } {
  const { clock, leases } = deps;
  const placementsOf = (user: string): Iterable<number> => leases.placementsOf(user);
  const limits = (): QueueLimits => settings().queue;
  const queue = new Queue({ limits, clock, wheel, fairShare, placementsOf });
  const view = viewer(deps, settings);
  const strategy = (): Strategy => settings().strategy;
  return { queue, turns: new Turns({ ...deps, strategy, fairShare, queue, view }) };
}

function viewer(deps: DispatcherDeps, settings: () => DispatchSettings): () => RoutingView {
  const { snapshot, leases, cooldowns, clock } = deps;
  return () => {
    const { maxTemperatureC, foreignFadeMs } = settings();
    return {
      snapshot: snapshot(),
      leases,
      cooldowns,
      nowMs: clock.now(),
      maxTemperatureC,
      foreignFadeMs,
    };
  };
}

function placeOf(waiter: Waiter | null): Place | null {
  const position = waiter?.position() ?? null;
  return position === null ? null : { position, startsInMs: waiter?.startsInMs() ?? null };
}
