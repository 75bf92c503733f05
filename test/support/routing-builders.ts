import type { Cooldown } from "../../src/failures/cooldown-view.ts";
import type { FleetSnapshot, SourceState } from "../../src/fleet/snapshot.ts";
import type { ServedModel, Worker } from "../../src/fleet/worker.ts";
import type { Question } from "../../src/routing/decide.ts";
import { Random } from "../../src/routing/random.ts";
import type {
  Candidate,
  Pool,
  RoutingRequest,
  RoutingView,
  Strategy,
} from "../../src/routing/stages.ts";
import { buildStrategy } from "../../src/routing/strategies.ts";
import { workerAt } from "./fleet-builders.ts";

/** What a request asks for that any worker of `serving` can take. */
export function routingRequest(changes: Partial<RoutingRequest> = {}): RoutingRequest {
  return {
    user: "alice",
    gpuLimit: 2,
    atGpuLimit: false,
    model: "m",
    path: "/v1/chat/completions",
    type: "inference",
    band: 3,
    memoryBytes: null,
    computeUnits: null,
    tried: [],
    ...changes,
  };
}

export function servedModel(name: string, changes: Partial<ServedModel> = {}): ServedModel {
  return { name, as: name, minComputeCapability: null, memoryBytes: null, ...changes };
}

export function modelsOf(...models: readonly ServedModel[]): ReadonlyMap<string, ServedModel> {
  return new Map(models.map((model) => [model.as, model]));
}

/** A worker that is up and serves the model m. */
export function serving(index: number, changes: Partial<Worker> = {}): Worker {
  return workerAt(index, { models: modelsOf(servedModel("m")), ...changes });
}

export function fleetOf(
  workers: readonly Worker[],
  changes: Partial<FleetSnapshot> = {},
): FleetSnapshot {
  const byModel = new Map<string, Worker[]>();
  for (const worker of workers) {
    for (const model of worker.models.keys()) {
      byModel.set(model, [...(byModel.get(model) ?? []), worker]);
    }
  }
  return {
    version: 1,
    gpus: new Map(workers.flatMap((worker) => worker.gpus.map((gpu) => [gpu.id, gpu]))),
    workers,
    workersByModel: byModel,
    sources: [],
    cordons: new Map(),
    speeds: { of: () => 1 },
    ...changes,
  };
}

/** "cooling" unless told. */
interface KeptOut extends Omit<Cooldown, "state">, Partial<Pick<Cooldown, "state">> {
  readonly blocks: boolean;
  /** What its slow start leaves it. */
  readonly slots?: number;
}

function describeCooldown(known: KeptOut | undefined): Cooldown | null {
  if (!known) return null;
  const { state = "cooling", reason, untilMs } = known;
  return { state, reason, untilMs };
}

/** What is true at one moment, each by worker index (promised memory: by placement). */
export interface Moment {
  readonly own?: Readonly<Record<number, number>>;
  readonly promisedBytes?: (placement: number, sinceMs: number) => number;
  /** Workers that the user occupies; their placements have the same numbers. */
  readonly held?: readonly number[];
  readonly cooldowns?: Readonly<Record<number, KeptOut>>;
  readonly speeds?: Readonly<Record<number, number>>;
  readonly sources?: readonly SourceState[];
  readonly nowMs?: number;
  readonly foreignFadeMs?: number;
}

export function viewOf(snapshot: FleetSnapshot, moment: Moment = {}): RoutingView {
  const { own = {}, cooldowns = {}, held = [], speeds, sources } = moment;
  return {
    snapshot: {
      ...snapshot,
      sources: sources ?? snapshot.sources,
      speeds: speeds ? { of: (index) => speeds[index] ?? 1 } : snapshot.speeds,
    },
    leases: {
      own: (index) => own[index] ?? 0,
      promisedBytes: moment.promisedBytes ?? (() => 0),
      placementCount: () => held.length,
      holds: (_user, placement) => held.includes(placement),
      workersOf: () => new Set(held),
    },
    cooldowns: {
      blocks: (index) => cooldowns[index]?.blocks ?? false,
      slotLimit: (index, slots) => cooldowns[index]?.slots ?? slots,
      describe: (index) => describeCooldown(cooldowns[index]),
    },
    nowMs: moment.nowMs ?? 0,
    maxTemperatureC: 85,
    foreignFadeMs: moment.foreignFadeMs ?? 10_000,
  };
}

const DEFAULT_WEIGHTS = { usage: 0.4, priority: 0.3, performance: 0.2, health: 0.1 };

export function strategyNamed(name: string): Strategy {
  return buildStrategy({ name, weights: DEFAULT_WEIGHTS, pipelines: {} });
}

/** A question to a strategy, hybrid unless told, about a fleet at a moment. */
export function questionOf(
  workers: readonly Worker[],
  moment: Moment = {},
  changes: Partial<Omit<Question, "request">> & { request?: Partial<RoutingRequest> } = {},
): Question {
  return {
    strategy: strategyNamed("hybrid"),
    view: viewOf(fleetOf(workers), moment),
    random: new Random(1),
    ...changes,
    request: routingRequest(changes.request),
  };
}

export function candidate(worker: Worker, changes: Partial<Candidate> = {}): Candidate {
  return { worker, n: 0, speed: 1, cost: 1, score: 0, ...changes };
}

export function poolOf(candidates: readonly Candidate[], changes: Partial<Pool> = {}): Pool {
  return {
    candidates,
    request: routingRequest(),
    view: viewOf(fleetOf(candidates.map(({ worker }) => worker))),
    lowestCost: Math.min(...candidates.map(({ cost }) => cost)),
    highestSpeed: Math.max(...candidates.map(({ speed }) => speed)),
    ...changes,
  };
}
