import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Engine } from "./engines/engine.ts";
import { isTooHot, type Gpu, type GpuHealth, type GpuReading } from "./gpu.ts";
import { logGpuChanges } from "./gpu-changes.ts";
import { workersFromEndpoints } from "./reported-endpoints.ts";
import {
  buildSnapshot,
  type FleetSnapshot,
  type SourceState,
  type WorkerEntry,
} from "./snapshot.ts";
import type { SpeedBook } from "./speed.ts";
import type { EngineName, WorkerFacts, WorkerSpec, WorkerState } from "./worker.ts";

/** Thousands of workers report their load one by one; one snapshot takes up a batch of them. */
const COALESCE_MS = 50;
/** A monitor that invents a new endpoint at each poll must not fill the memory or the log. */
const MAX_IGNORED_ENDPOINTS = 1000;

export interface FleetOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly speeds: SpeedBook;
  readonly workers: readonly WorkerSpec[];
  readonly maxTemperatureC: number;
  readonly workerHosts: readonly string[];
}

/**
 * What we know of GPUs and workers. Pollers tell it facts; routing reads `snapshot()`, which is built
 * anew when a fact has changed and never altered afterwards.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #entries = new Map<string, WorkerEntry>();
  readonly #placements = new Map<string, number>();
  readonly #sources = new Map<string, SourceState>();
  readonly #gpusBySource = new Map<string, Map<string, Gpu>>();
  readonly #ignoredEndpoints = new Set<string>();
  #active: readonly WorkerEntry[] = [];
  #snapshot: FleetSnapshot | null = null;
  /** When facts that can wait must show in the snapshot. */
  #dueAtMs = Infinity;
  #version = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#refreshWorkers();
  }

  snapshot(): FleetSnapshot {
    if (this.#snapshot === null || this.#dueAtMs <= this.#options.clock.now()) {
      this.#snapshot = this.#build();
      this.#dueAtMs = Infinity;
    }
    return this.#snapshot;
  }

  addSource(name: string, host: string): void {
    this.#sources.set(name, { name, host, lastSuccessAtMs: null, failure: null });
    this.#snapshot = null;
  }

  /** Replaces all GPUs of this source by what it reports now. */
  gpusReported(source: string, readings: readonly GpuReading[]): void {
    const before = this.#gpusBySource.get(source) ?? new Map<string, Gpu>();
    const after = new Map<string, Gpu>();
    for (const reading of readings) after.set(reading.id, this.#remember(reading, source));
    logGpuChanges(this.#options.log, before, after);
    this.#gpusBySource.set(source, after);
    const lastSuccessAtMs = this.#options.clock.now();
    this.#setSource(source, { lastSuccessAtMs, failure: null });
    this.#refreshWorkers();
  }

  /** Keeps what the source said before: a dead monitor must not empty the fleet. */
  sourceFailed(source: string, reason: string): void {
    this.#setSource(source, { failure: reason });
  }

  healthReported(source: string, gpuId: string, health: GpuHealth | null): void {
    const gpus = this.#gpusBySource.get(source);
    const gpu = gpus?.get(gpuId);
    if (!gpus || !gpu) return;
    gpus.set(gpuId, { ...gpu, health });
    if (health && health.status !== (gpu.health?.status ?? "healthy")) {
      const fields = { gpuId, status: health.status, errors: health.errors };
      this.#options.log.warn(fields, "gpu health changed");
      this.#snapshot = null;
    } else this.#changeSoon();
  }

  /** Merges what asking a worker told into what is known of it. */
  workerTold(index: number, facts: WorkerFacts): void {
    const entry = this.#active.find((candidate) => candidate.index === index);
    if (!entry) return;
    const state = entry.facts.state ?? "starting";
    const stateChanged = facts.state !== undefined && facts.state !== state;
    if (stateChanged) this.#logStateChange(entry.spec.id, state, facts);
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

  /** Speeds are relative to the fleet, so they are settled once per poll, not once per request. */
  refreshSpeeds(): void {
    this.#snapshot = null;
  }

  #logStateChange(workerId: string, from: WorkerState, facts: WorkerFacts): void {
    const { log } = this.#options;
    const fields = { workerId, from, to: facts.state, reason: facts.stateReason };
    if (facts.state === "up") log.info(fields, "worker state changed");
    else log.warn(fields, "worker state changed");
  }

  #changeSoon(): void {
    this.#dueAtMs = Math.min(this.#dueAtMs, this.#options.clock.now() + COALESCE_MS);
  }

  #build(): FleetSnapshot {
    const gpus = new Map<string, Gpu>();
    for (const reported of this.#gpusBySource.values()) {
      for (const [id, gpu] of reported) if (!gpus.has(id)) gpus.set(id, gpu);
    }
    this.#version += 1;
    return buildSnapshot({
      version: this.#version,
      gpus,
      entries: this.#active,
      sources: [...this.#sources.values()],
      engines: this.#options.engines,
      speeds: this.#options.speeds,
      placementOf: (key) => indexFor(this.#placements, key),
    });
  }

  #remember(reading: GpuReading, source: string): Gpu {
    const known = this.#gpusBySource.get(source)?.get(reading.id);
    const { maxTemperatureC } = this.#options;
    const tooHot = isTooHot(reading.temperatureC, maxTemperatureC, known?.tooHot ?? false);
    return { ...reading, source, health: known?.health ?? null, tooHot };
  }

  #setSource(name: string, change: Partial<SourceState>): void {
    const known = this.#sources.get(name);
    if (!known) return;
    const failure = change.failure ?? null;
    if (failure !== null && known.failure === null) {
      this.#options.log.warn({ source: name, reason: failure }, "gpu source failing");
    } else if (failure === null && known.failure !== null) {
      this.#options.log.info({ source: name }, "gpu source answers again");
    }
    this.#sources.set(name, { ...known, ...change });
    this.#snapshot = null;
  }

  #refreshWorkers(): void {
    const { workers, workerHosts, log } = this.#options;
    const gpus = [...this.#gpusBySource.values()].flatMap((reported) => [...reported.values()]);
    const reported = workersFromEndpoints(gpus, {
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

  /** The same id at another URL is another worker: its counts and history must not carry over. */
  #entryFor(spec: WorkerSpec): WorkerEntry {
    const key = `${spec.id} ${spec.url}`;
    const known = this.#entries.get(key);
    const entry = known
      ? { ...known, spec }
      : { index: this.#entries.size, spec, facts: {}, dropped: new Set<string>() };
    this.#entries.set(key, entry);
    return entry;
  }
}

function indexFor(indices: Map<string, number>, key: string): number {
  const index = indices.get(key) ?? indices.size;
  indices.set(key, index);
  return index;
}
