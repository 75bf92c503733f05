import { FairShare } from "../admission/fair-share.ts";
import type { Leases } from "../admission/leases.ts";
import { OpenList } from "../admission/open-list.ts";
import type { Reservation } from "../admission/quotas.ts";
import type { Waiter } from "../admission/place.ts";
import { Queue } from "../admission/queue.ts";
import type { Clock } from "../clock.ts";
import type { RouterError } from "../errors.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { RetryPolicy } from "../failures/retry.ts";
import { SignsOfLife } from "../failures/signs-of-life.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import { decide } from "../routing/decide.ts";
import { explain, type Decision } from "../routing/explain.ts";
import type { Random } from "../routing/random.ts";
import type { RoutingView, Strategy } from "../routing/stages.ts";
import { Attempts } from "./attempt.ts";
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
}

export interface DispatchSettings {
  readonly strategy: Strategy;
  readonly retry: RetryPolicy;
  readonly maxTemperatureC: number;
  /** How fast other routers' load, as workers reported it, loses its weight. */
  readonly foreignFadeMs: number;
  readonly streamIdleMs: number;
  readonly maxAnswerBytes: number;
  readonly queue: {
    readonly maxRequests: number;
    readonly maxBytes: number;
    readonly userShare: number;
    readonly ageingMs: number;
  };
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
  /** A limit of some user has changed. */
  readonly limitsChanged: () => void;
  /** What a request takes on average, for those that are reserved beforehand. */
  readonly meanTokens: () => number;
  readonly queue: Pick<Queue, "size" | "bytes" | "sizeOfBand" | "sizeFor">;
  readonly placements: Pick<Placements, "complete">;
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

export function createDispatcher(deps: DispatcherDeps, settings: DispatchSettings): Dispatcher {
  const { clock, random, leases, cooldowns } = deps;
  const deadlines = new Deadlines(clock);
  const attempts = new Attempts({
    ...settings,
    clock,
    deadlines,
    signsOfLife: new SignsOfLife(),
  });
  const placements = new Placements(deadlines);
  const fairShare = new FairShare();
  const placementsOf = (user: string): Iterable<number> => leases.placementsOf(user);
  const queue = new Queue({ ...settings.queue, clock, wheel: deadlines, fairShare, placementsOf });
  const view = viewer(deps, settings);
  const turns = new Turns({ ...deps, ...settings, fairShare, queue, view });
  const running = new OpenList<Trip>();
  const routeRequest = createRouteRequest({
    ...{ ...deps, clock, random, cooldowns, turns, running, retry: settings.retry },
    reserve: ({ user }) => deps.reserve(user, fairShare.meanTokens),
    attempt: (job) => (job.request.isPlacement ? placements.attempt(job) : attempts.attempt(job)),
  });
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
    limitsChanged: () => queue.pump({ alsoParked: true }),
    meanTokens: () => fairShare.meanTokens,
    queue,
    placements,
    abandonAll() {
      for (const { request } of running) request.abandonment.abandon("shutdown");
    },
    async close() {
      ticker.cancel();
      deadlines.close();
      await attempts.close();
    },
  };
}

function viewer(deps: DispatcherDeps, settings: DispatchSettings): () => RoutingView {
  const { snapshot, leases, cooldowns, clock } = deps;
  const { maxTemperatureC, foreignFadeMs } = settings;
  return () => ({
    snapshot: snapshot(),
    leases,
    cooldowns,
    nowMs: clock.now(),
    maxTemperatureC,
    foreignFadeMs,
  });
}

function placeOf(waiter: Waiter | null): Place | null {
  const position = waiter?.position() ?? null;
  return position === null ? null : { position, startsInMs: waiter?.startsInMs() ?? null };
}
