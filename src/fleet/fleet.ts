import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { isMeantBy, withCordon, withoutCordon, type Cordons } from "./cordons.ts";
import type { Engine } from "./engines/engine.ts";
import type { GpuHealth, GpuReading } from "./gpu.ts";
import { namedGpus, type NamedGpus } from "./missing-gpus.ts";
import { createProblemLog, type ProblemLog } from "./problem-log.ts";
import { workersFromEndpoints } from "./reported-endpoints.ts";
import {
  buildSnapshot,
  type FleetSnapshot,
  type RetiredWorker,
  type WorkerEntry,
} from "./snapshot.ts";
import type { SpeedBook } from "./speed.ts";
import { Telemetry } from "./telemetry.ts";
import { hostOf } from "./this-machine.ts";
import { unknownGpus } from "./unknown-gpus.ts";
import type { EngineName, WorkerFacts, WorkerSpec, WorkerState } from "./worker.ts";

/** Thousands of workers report their load one by one; one snapshot takes up a batch of them. */
const COALESCE_MS = 50;
/** A monitor that invents a new endpoint at each poll must not fill the memory or the log. */
const MAX_IGNORED_ENDPOINTS = 1000;

/** What the operator says of the fleet. */
export interface FleetConfig {
  readonly workers: readonly WorkerSpec[];
  readonly maxTemperatureC: number;
  readonly updateIntervalMs: number;
  readonly workerHosts: readonly string[];
}

export interface FleetOptions extends FleetConfig {
  readonly clock: Clock;
  readonly log: Log;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly speeds: SpeedBook;
}

/**
 * What we know of GPUs and workers. Pollers tell it facts; routing reads `snapshot()`, which is built
 * anew when a fact has changed and never altered afterwards.
 */
export class Fleet {
  #options: FleetOptions;
  readonly #entries = new Map<string, WorkerEntry>();
  readonly #placements = new Map<string, number>();
  readonly #telemetry: Telemetry;
  readonly #ignoredEndpoints = new Set<string>();
  readonly #gpusProblem: ProblemLog;
  #named: NamedGpus;
  #cordons: Cordons = new Map();
  #active: readonly WorkerEntry[] = [];
  #snapshot: FleetSnapshot | null = null;
  /** When facts that can wait must show in the snapshot. */
  #dueAtMs = Infinity;
  #version = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#named = namedGpus(options.workers);
    this.#telemetry = new Telemetry({ ...options, settings: () => this.#options });
    this.#gpusProblem = createProblemLog(options.log, "gpus of worker not reported");
    this.#refreshWorkers();
  }

  snapshot(): FleetSnapshot {
    if (this.#snapshot === null || this.#dueAtMs <= this.#options.clock.now()) {
      this.#snapshot = this.#build();
      this.#dueAtMs = Infinity;
    }
    return this.#snapshot;
  }

  /**
   * Takes up what the operator says now. What is known of a worker that is gone is forgotten, and not
   * its index: its last requests still run.
   */
  reconfigure(config: FleetConfig): void {
    const isNewLimit = config.maxTemperatureC !== this.#options.maxTemperatureC;
    this.#options = { ...this.#options, ...config };
    this.#named = namedGpus(config.workers);
    if (isNewLimit) this.#telemetry.judgeHeat();
    this.#refreshWorkers();
    const active = new Set(this.#active);
    for (const entry of this.#entries.values()) if (!active.has(entry)) forgetFacts(entry);
  }

  addSource(name: string, host: string): void {
    this.#telemetry.addSource(name, host);
    this.#snapshot = null;
  }

  /** With all that it reported: nobody will say any more what became of it. */
  removeSource(name: string): void {
    this.#telemetry.removeSource(name);
    this.#refreshWorkers();
  }

  /** Replaces all GPUs of this source by what it reports now. */
  gpusReported(source: string, readings: readonly GpuReading[]): void {
    this.#telemetry.reported(source, readings, this.#named);
    this.#refreshWorkers();
  }

  /** Keeps what the source said before: a dead monitor must not empty the fleet. */
  sourceFailed(source: string, reason: string): void {
    this.#telemetry.failed(source, reason);
    this.#snapshot = null;
  }

  /** After a round of polls: logs once which workers' GPUs nobody reports. */
  tellUnknownGpus(): void {
    for (const { workerId, problem } of unknownGpus(this.#options.workers, this.snapshot())) {
      this.#gpusProblem({ workerId }, problem);
    }
  }

  healthReported(source: string, gpuId: string, health: GpuHealth | null): void {
    if (this.#telemetry.healthReported(source, gpuId, health)) this.#snapshot = null;
    else this.#changeSoon();
  }

  /** Merges what asking a worker told into what is known of it. */
  workerTold(index: number, facts: WorkerFacts): void {
    const entry = this.#active.find((candidate) => candidate.index === index);
    if (!entry) return;
    const state = entry.facts.state ?? "starting";
    const stateChanged = facts.state !== undefined && facts.state !== state;
    if (stateChanged) this.#stateChanged(entry.spec, state, facts);
    if (facts.state === "up") entry.dropped.clear();
    const { stateReason = entry.facts.stateReason } = facts;
    const reasonChanged = stateReason !== entry.facts.stateReason;
    entry.facts = { ...entry.facts, ...facts };
    if (stateChanged || reasonChanged) this.#snapshot = null;
    else this.#changeSoon();
  }

  /** The worker answered 404 for a model it was thought to serve; believed until it is asked again. */
  modelMissing(index: number, servedName: string): void {
    this.#active.find((candidate) => candidate.index === index)?.dropped.add(servedName);
    this.#snapshot = null;
  }

  /**
   * Keeps new requests from the GPU or worker of this id, also where it goes and comes back, and from
   * the workers that are on the GPU now, wherever they go. Again: only the reason changes, if one is given.
   */
  cordon(
    id: string,
    { by, reason }: { readonly by: string; readonly reason: string | null },
  ): void {
    const sinceWallMs = this.#options.clock.wallMs();
    const on = this.snapshot().workers.filter((worker) => isMeantBy(id, worker, this.#cordons));
    const workerIds = on.map((worker) => worker.id);
    this.#cordons = withCordon(this.#cordons, { id, by, reason, sinceWallMs, workerIds });
    this.#snapshot = null;
  }

  /** Ends it; no effect where there is none. */
  uncordon(id: string): void {
    this.#cordons = withoutCordon(this.#cordons, id);
    this.#snapshot = null;
  }

  /** All since the start; the last requests of some may still run. */
  retired(): readonly RetiredWorker[] {
    const active = new Set(this.#active);
    const gone = [...this.#entries.values()].filter((entry) => !active.has(entry));
    return gone.map(({ index, spec, gpuIds }) => ({ index, id: spec.id, gpuIds }));
  }

  /** Speeds are relative to the fleet, so they are settled once per poll, not once per request. */
  refreshSpeeds(): void {
    this.#snapshot = null;
  }

  #stateChanged({ id, url, gpus }: WorkerSpec, from: WorkerState, facts: WorkerFacts): void {
    const { log } = this.#options;
    const fields = { workerId: id, from, to: facts.state, reason: facts.stateReason };
    if (facts.state !== "up") {
      log.warn(fields, "worker state changed");
      return;
    }
    log.info(fields, "worker state changed");
    if (gpus === "auto") this.#telemetry.forgetMissing(hostOf(url), this.#named);
  }

  #changeSoon(): void {
    this.#dueAtMs = Math.min(this.#dueAtMs, this.#options.clock.now() + COALESCE_MS);
  }

  #build(): FleetSnapshot {
    this.#version += 1;
    const snapshot = buildSnapshot({
      version: this.#version,
      gpus: this.#telemetry.gpus(this.#named),
      entries: this.#active,
      sources: this.#telemetry.sources,
      cordons: this.#cordons,
      engines: this.#options.engines,
      speeds: this.#options.speeds,
      placementOf: (key) => indexFor(this.#placements, key),
    });
    for (const [at, entry] of this.#active.entries()) entry.gpuIds = snapshot.workers[at]!.gpuIds;
    return snapshot;
  }

  #refreshWorkers(): void {
    const { workers, workerHosts, log } = this.#options;
    const reported = workersFromEndpoints(this.#telemetry.reportedGpus(), {
      workerHosts: new Set(workerHosts),
      configuredUrls: new Set(workers.map((worker) => worker.url)),
    });
    for (const [endpoint, fix] of reported.ignored) {
      const told = this.#ignoredEndpoints;
      if (told.has(endpoint) || told.size >= MAX_IGNORED_ENDPOINTS) continue;
      this.#ignoredEndpoints.add(endpoint);
      log.warn({ endpoint, fix }, "reported endpoint ignored");
    }
    this.#active = [...workers, ...reported.specs].map((spec) => this.#entryFor(spec));
    this.#snapshot = null;
  }

  /**
   * The same id at another URL, or with another engine, is another worker: its counts and history
   * must not carry over.
   */
  #entryFor(spec: WorkerSpec): WorkerEntry {
    const key = `${spec.id} ${spec.url} ${spec.engine}`;
    const known = this.#entries.get(key);
    const entry = known
      ? { ...known, spec }
      : { index: this.#entries.size, spec, gpuIds: [], facts: {}, dropped: new Set<string>() };
    this.#entries.set(key, entry);
    return entry;
  }
}

function forgetFacts(entry: WorkerEntry): void {
  entry.facts = {};
  entry.dropped.clear();
}

function indexFor(indices: Map<string, number>, key: string): number {
  const index = indices.get(key) ?? indices.size;
  indices.set(key, index);
  return index;
}
