import type { Leases } from "../admission/leases.ts";
import { OpenList, type Listed } from "../admission/open-list.ts";
import type { Clock } from "../clock.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { RetryPolicy } from "../failures/retry.ts";
import { SignsOfLife } from "../failures/signs-of-life.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";
import { decide } from "../routing/decide.ts";
import { explain, type Decision } from "../routing/explain.ts";
import type { Random } from "../routing/random.ts";
import type { RoutingView, Strategy } from "../routing/stages.ts";
import { Attempts } from "./attempt.ts";
import { Deadlines } from "./deadlines.ts";
import { ask, createRouteRequest, type RouteObserver, type RouteRequest } from "./route-request.ts";
import type { RoutedRequest } from "./routed-request.ts";

export interface DispatcherDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly snapshot: () => FleetSnapshot;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  readonly isAlive: (worker: Worker) => Promise<boolean>;
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
}

/** The loop of requests: decide, lease, attempt, relay. */
export interface Dispatcher {
  readonly routeRequest: RouteRequest;
  /** Decides as routeRequest would now, and takes nothing. */
  readonly explainRequest: (request: RoutedRequest) => Decision;
  /** Ends what still runs, at shutdown: each client hears of it. */
  abandonAll(): void;
  close(): Promise<void>;
}

interface Running extends Listed {
  readonly request: RoutedRequest;
}

export function createDispatcher(deps: DispatcherDeps, settings: DispatchSettings): Dispatcher {
  const { clock, random, leases, cooldowns } = deps;
  const { strategy, maxTemperatureC, foreignFadeMs, retry } = settings;
  const deadlines = new Deadlines(clock);
  const signsOfLife = new SignsOfLife();
  const attempts = new Attempts({ ...settings, clock, deadlines, signsOfLife });
  const view = (): RoutingView => ({
    snapshot: deps.snapshot(),
    leases,
    cooldowns,
    nowMs: clock.now(),
    maxTemperatureC,
    foreignFadeMs,
  });
  const { attempt } = attempts;
  const routeRequest = createRouteRequest({ ...deps, strategy, retry, view, attempt });
  const running = new OpenList<Running>();
  return {
    async routeRequest(request, sink) {
      const entry = { request, listIndex: 0 };
      running.add(entry);
      try {
        return await routeRequest(request, sink);
      } finally {
        running.remove(entry);
      }
    },
    abandonAll() {
      for (const { request } of running) request.abandonment.abandon("shutdown");
    },
    explainRequest(request) {
      const question = ask({ strategy, random, view }, request, []);
      return explain(question, decide(question));
    },
    async close() {
      deadlines.close();
      await attempts.close();
    },
  };
}
