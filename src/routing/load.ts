import type { Worker } from "../fleet/worker.ts";
import type { RoutingView } from "./stages.ts";

/**
 * Requests in the worker that are not ours: what it reported beyond our own leases at that moment,
 * fading with age, because every second since makes the report say less.
 */
export function foreignLoad(worker: Worker, view: RoutingView): number {
  const { load } = worker;
  if (load === null) return 0;
  const foreign = load.active - load.ownAtPoll;
  if (foreign <= 0) return 0;
  return foreign * Math.exp((load.receivedAtMs - view.nowMs) / view.foreignFadeMs);
}

/** Loading a model from disk takes about as long as this many requests on a median worker. */
const LOAD_COST = 3;

export function modelLoadCost(worker: Worker, model: string): number {
  return mustLoadModel(worker, model) ? LOAD_COST : 0;
}

/** True where the worker says which models are loaded, and this one is not. */
export function mustLoadModel(worker: Worker, model: string): boolean {
  if (worker.loadedModels === null) return false;
  const served = worker.models.get(model)?.name;
  return served !== undefined && !worker.loadedModels.has(served);
}
