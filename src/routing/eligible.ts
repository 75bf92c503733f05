import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Filter, RoutingRequest, RoutingView, Strategy } from "./stages.ts";

/**
 * Filters that depend on nothing but the snapshot are run once per snapshot, model and path: between
 * two polls every request of a model has the same eligible workers.
 */

interface Cache {
  readonly moment: readonly Filter[];
  readonly settled: readonly Filter[];
  snapshot: FleetSnapshot | null;
  readonly eligible: Map<string, readonly Worker[]>;
}

const caches = new WeakMap<Strategy, Cache>();

export function momentFilters(strategy: Strategy): readonly Filter[] {
  return cacheOf(strategy).moment;
}

/** Workers of the snapshot that pass the strategy's snapshot filters. */
export function eligibleInSnapshot(
  strategy: Strategy,
  request: RoutingRequest,
  view: RoutingView,
): readonly Worker[] {
  const serving = view.snapshot.workersByModel.get(request.model);
  // Unknown models are not remembered: clients choose the names, and could fill the memory with them.
  if (!serving) return [];
  const cache = cacheOf(strategy);
  if (cache.snapshot !== view.snapshot) {
    cache.snapshot = view.snapshot;
    cache.eligible.clear();
  }
  // A need of its own makes a request one of a kind.
  const key = request.computeUnits === null ? cacheKey(request) : null;
  const known = key === null ? undefined : cache.eligible.get(key);
  if (known) return known;
  const passes = (worker: Worker): boolean =>
    cache.settled.every((filter) => filter.passes(worker, request, view));
  const eligible = serving.filter(passes);
  if (key !== null) cache.eligible.set(key, eligible);
  return eligible;
}

function cacheKey({ path, type, model }: RoutingRequest): string {
  return `${path} ${type} ${model}`;
}

function cacheOf(strategy: Strategy): Cache {
  let cache = caches.get(strategy);
  if (!cache) {
    cache = {
      moment: strategy.filters.filter((filter) => filter.scope === "moment"),
      settled: strategy.filters.filter((filter) => filter.scope === "snapshot"),
      snapshot: null,
      eligible: new Map(),
    };
    caches.set(strategy, cache);
  }
  return cache;
}
