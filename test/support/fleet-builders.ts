import type { Gpu, GpuReading } from "../../src/fleet/gpu.ts";
import { statesMemory } from "../../src/fleet/snapshot.ts";
import type { Worker, WorkerSpec } from "../../src/fleet/worker.ts";
import type { Log, LogFn } from "../../src/log.ts";

/** A healthy, idle GPU as a source reads it, with what a test changes. */
export function gpuReading(id: string, changes: Partial<GpuReading> = {}): GpuReading {
  const gib = 2 ** 30;
  return {
    id,
    name: "Test GPU 80GB",
    status: "available",
    computeCapability: 9,
    memoryTotalBytes: 80 * gib,
    memoryUsedBytes: 20 * gib,
    memoryFreeBytes: 60 * gib,
    utilization: 0.1,
    temperatureC: 45,
    powerUsageW: 120,
    powerLimitW: 700,
    performanceIndex: null,
    errorRate: 0,
    uptimeS: 3600,
    processes: [],
    endpoint: null,
    ...changes,
  };
}

/** The same as the fleet holds it. */
export function gpu(id: string, changes: Partial<Gpu> = {}): Gpu {
  return {
    ...gpuReading(id),
    source: "monitor",
    health: null,
    tooHot: false,
    isMissing: false,
    ...changes,
  };
}

export function workerSpec(id: string, changes: Partial<WorkerSpec> = {}): WorkerSpec {
  return {
    id,
    url: `http://${id}:8000`,
    engine: "vllm",
    gpus: [],
    models: [],
    slots: null,
    types: ["inference"],
    apiKey: null,
    loadTimeoutMs: 300_000,
    ...changes,
  };
}

/** A worker of a snapshot that serves any model and is up. */
export function workerAt(index: number, changes: Partial<Worker> = {}): Worker {
  return {
    index,
    id: `worker-${index}`,
    url: `http://worker-${index}:8000`,
    engine: "vllm",
    apiKey: null,
    types: ["inference"],
    slots: 256,
    loadTimeoutMs: 300_000,
    paths: new Set(["/v1/chat/completions"]),
    preallocatesMemory: true,
    gpuIds: [],
    gpus: [],
    placement: index,
    state: "up",
    stateReason: null,
    cordon: null,
    modelsKnown: true,
    models: new Map(),
    knowsModelMemory: statesMemory(changes.models ?? new Map()),
    loadedModels: null,
    load: null,
    ...changes,
  };
}

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps its lines. */
export function keepingLog(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const keep =
    (level: keyof Log): LogFn =>
    (fields, message) =>
      void lines.push({ level, message, fields: { ...fields } });
  const log = {
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
  };
  return { log, lines };
}
