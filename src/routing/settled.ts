import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { ApiPath, RequestType, Worker } from "../fleet/worker.ts";
import { modelLoadCost } from "./load.ts";
import { clampScore } from "./scores.ts";
import type { Filter, RoutingRequest, RoutingView, Strategy, WeightedScorer } from "./stages.ts";

/**
 * What depends on nothing but the snapshot is settled once per snapshot, model and path: between two
 * polls every request of a model has the same eligible workers, of the same speed and health.
 */
export interface Settled {
  readonly workers: readonly SettledWorker[];
  /** The filters and scorers that are left for the moment of the decision. */
  readonly filters: readonly Filter[];
  readonly scorers: readonly WeightedScorer[];
}

/** A worker that passes all filters of the snapshot. */
export interface SettledWorker {
  readonly worker: Worker;
  readonly speed: number;
  /** The part of its cost that loading the model makes; see load.ts. */
  readonly loadCost: number;
  /** Weighted sum of the scorers of the snapshot. */
  readonly score: number;
}

interface Stages {
  readonly filters: Readonly<Record<"snapshot" | "moment", readonly Filter[]>>;
  readonly scorers: Readonly<Record<"snapshot" | "moment", readonly WeightedScorer[]>>;
  snapshot: FleetSnapshot | null;
  /** By model, and then one after the other: a model is asked for on few paths. */
  readonly known: Map<string, Known[]>;
}

interface Known {
  readonly path: ApiPath | null;
  readonly type: RequestType;
  readonly settled: Settled;
}

const stagesByStrategy = new WeakMap<Strategy, Stages>();

export function settle(strategy: Strategy, request: RoutingRequest, view: RoutingView): Settled {
  const stages = stagesOf(strategy);
  if (stages.snapshot !== view.snapshot) {
    stages.snapshot = view.snapshot;
    stages.known.clear();
  }
  const serving = view.snapshot.workersByModel.get(request.model);
  // Unknown models are not remembered: clients choose the names, and could fill the memory with them.
  if (!serving) return { workers: [], filters: [], scorers: [] };
  // A need of its own makes a request one of a kind.
  if (request.computeUnits !== null) return settleWorkers(stages, serving, { request, view });
  let known = stages.known.get(request.model);
  if (!known) stages.known.set(request.model, (known = []));
  for (const { path, type, settled } of known) {
    if (path === request.path && type === request.type) return settled;
  }
  const settled = settleWorkers(stages, serving, { request, view });
  known.push({ path: request.path, type: request.type, settled });
  return settled;
}

function settleWorkers(
  { filters, scorers }: Stages,
  serving: readonly Worker[],
  { request, view }: { readonly request: RoutingRequest; readonly view: RoutingView },
): Settled {
  const passes = (worker: Worker): boolean =>
    filters.snapshot.every((filter) => filter.passes(worker, request, view));
  const workers = serving.filter(passes).map((worker): SettledWorker => {
    const speed = view.snapshot.speeds.of(worker.index, request.model);
    const loadCost = modelLoadCost(worker, request.model);
    const candidate = { worker, n: 0, speed, cost: 1 / speed + loadCost, score: 0 };
    const alone = { candidates: [candidate], request, view };
    const pool = { ...alone, lowestCost: candidate.cost, highestSpeed: speed };
    const score = scorers.snapshot.reduce(
      (sum, { scorer, weight }) => sum + weight * clampScore(scorer.score(candidate, pool)),
      0,
    );
    return { worker, speed, loadCost, score };
  });
  return { workers, filters: filters.moment, scorers: scorers.moment };
}

function stagesOf(strategy: Strategy): Stages {
  let stages = stagesByStrategy.get(strategy);
  if (!stages) {
    stages = {
      filters: {
        snapshot: strategy.filters.filter((filter) => filter.scope === "snapshot"),
        moment: strategy.filters.filter((filter) => filter.scope === "moment"),
      },
      scorers: {
        snapshot: strategy.scorers.filter(({ scorer }) => scorer.scope === "snapshot"),
        moment: strategy.scorers.filter(({ scorer }) => scorer.scope === "moment"),
      },
      snapshot: null,
      known: new Map(),
    };
    stagesByStrategy.set(strategy, stages);
  }
  return stages;
}
