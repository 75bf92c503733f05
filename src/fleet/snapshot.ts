import { cordonOver, type Cordons } from "./cordons.ts";
import type { Engine } from "./engines/engine.ts";
import type { Gpu } from "./gpu.ts";
import type { RelativeSpeeds, SpeedBook } from "./speed.ts";
import { hostOf } from "./this-machine.ts";
import type { EngineName, ServedModel, Worker, WorkerFacts, WorkerSpec } from "./worker.ts";

/** What telemetry source said last, and when. */
export interface SourceState {
  readonly name: string;
  readonly host: string;
  /** Monotonic time of the last good poll; null = none yet. */
  readonly lastSuccessAtMs: number | null;
  /** Why the latest poll failed, in words; null = it did not. */
  readonly failure: string | null;
  /** It fails, and has said nothing for so long that its figures count as unknown. */
  readonly isOutdated: boolean;
}

/** All GPUs and workers as known now. Immutable; the next one replaces it whole. */
export interface FleetSnapshot {
  readonly version: number;
  readonly gpus: ReadonlyMap<string, Gpu>;
  readonly workers: readonly Worker[];
  readonly workersByModel: ReadonlyMap<string, readonly Worker[]>;
  readonly sources: readonly SourceState[];
  readonly cordons: Cordons;
  readonly speeds: RelativeSpeeds;
}

/** A worker's life: its index, what the operator said and what asking it told. */
export interface WorkerEntry {
  readonly index: number;
  readonly spec: WorkerSpec;
  /** Of the latest snapshot that it was in. */
  gpuIds: readonly string[];
  facts: WorkerFacts;
  /** Served names that answered 404 since the worker was last asked for its models. */
  readonly dropped: Set<string>;
}

/** A worker that the fleet no longer has: gone, or another one of its id took its place. */
export interface RetiredWorker {
  readonly index: number;
  readonly id: string;
  /** When it was known last. */
  readonly gpuIds: readonly string[];
}

export interface SnapshotParts {
  readonly version: number;
  readonly gpus: ReadonlyMap<string, Gpu>;
  readonly entries: readonly WorkerEntry[];
  readonly sources: readonly SourceState[];
  readonly cordons: Cordons;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly speeds: SpeedBook;
  /** Gives workers on the same set of GPUs the same small integer. */
  readonly placementOf: (key: string) => number;
}

export function buildSnapshot(parts: SnapshotParts): FleetSnapshot {
  const gpuIdsByHost = groupByHost(parts);
  const workers = parts.entries.map((entry) => buildWorker(entry, parts, gpuIdsByHost));
  return {
    version: parts.version,
    gpus: parts.gpus,
    workers,
    workersByModel: groupByModel(workers),
    sources: parts.sources,
    cordons: parts.cordons,
    speeds: parts.speeds.relativeTo(workers),
  };
}

function buildWorker(
  entry: WorkerEntry,
  parts: SnapshotParts,
  gpuIdsByHost: ReadonlyMap<string, readonly string[]>,
): Worker {
  const { spec, facts } = entry;
  const engine = parts.engines[spec.engine];
  const models = servedModels(entry);
  const gpuIds = spec.gpus === "auto" ? (gpuIdsByHost.get(hostOf(spec.url)) ?? []) : spec.gpus;
  return {
    index: entry.index,
    id: spec.id,
    url: spec.url,
    engine: spec.engine,
    apiKey: spec.apiKey,
    types: spec.types,
    slots: spec.slots ?? facts.slots ?? engine.defaultSlots,
    loadTimeoutMs: spec.loadTimeoutMs,
    paths: engine.paths,
    preallocatesMemory: engine.preallocatesMemory,
    gpuIds,
    gpus: gpuIds.flatMap((id) => parts.gpus.get(id) ?? []),
    placement: parts.placementOf(placementKey(spec.id, gpuIds)),
    state: facts.state ?? "starting",
    stateReason: facts.stateReason ?? null,
    cordon: cordonOver({ id: spec.id, gpuIds }, parts.cordons),
    modelsKnown: spec.models.length > 0 || facts.models !== undefined,
    models,
    knowsModelMemory: statesMemory(models),
    loadedModels: facts.loadedModels ?? null,
    load: facts.load ?? null,
  };
}

/** Grouped once per snapshot: hundreds of workers times thousands of GPUs would be felt. */
function groupByHost(parts: SnapshotParts): Map<string, string[]> {
  const hosts = new Map(parts.sources.map((source) => [source.name, source.host]));
  const groups = new Map<string, string[]>();
  for (const gpu of parts.gpus.values()) {
    const host = hosts.get(gpu.source);
    if (host === undefined) continue;
    const group = groups.get(host);
    if (group) group.push(gpu.id);
    else groups.set(host, [gpu.id]);
  }
  return groups;
}

function placementKey(workerId: string, gpuIds: readonly string[]): string {
  return gpuIds.length === 0 ? `worker ${workerId}` : `gpus ${gpuIds.toSorted().join(" ")}`;
}

function servedModels({ spec, facts, dropped }: WorkerEntry): Map<string, ServedModel> {
  const models = spec.models.length > 0 ? spec.models : (facts.models ?? []).map(plainModel);
  return new Map(models.filter((m) => !dropped.has(m.name)).map((m) => [m.as, m]));
}

export function statesMemory(models: ReadonlyMap<string, ServedModel>): boolean {
  return [...models.values()].some(({ memoryBytes }) => memoryBytes !== null);
}

function plainModel(name: string): ServedModel {
  return { name, as: name, minComputeCapability: null, memoryBytes: null };
}

function groupByModel(workers: readonly Worker[]): Map<string, Worker[]> {
  const groups = new Map<string, Worker[]>();
  for (const worker of workers) {
    for (const model of worker.models.keys()) {
      const group = groups.get(model);
      if (group) group.push(worker);
      else groups.set(model, [worker]);
    }
  }
  return groups;
}
