import type { Leases } from "../../src/admission/leases.ts";
import type { RequestReport } from "../../src/dispatch/request-report.ts";
import { engines } from "../../src/fleet/engines/engines.ts";
import { buildSnapshot, type FleetSnapshot } from "../../src/fleet/snapshot.ts";
import { createSpeedBook } from "../../src/fleet/speed.ts";
import type { Gpu } from "../../src/fleet/gpu.ts";
import type { Question } from "../../src/routing/decide.ts";
import { Random } from "../../src/routing/random.ts";
import { buildStrategy } from "../../src/routing/strategies.ts";

const GIB = 1024 ** 3;

/** A fleet of unlike GPUs, one worker on each, all serving one model. */
export function benchSnapshot(size: number): FleetSnapshot {
  const gpus = Array.from({ length: size }, (_, i) => benchGpu(i));
  const entries = gpus.map((gpu, index) => ({
    index,
    spec: {
      id: `worker-${index}`,
      url: `http://127.0.0.1:${10_000 + index}`,
      engine: "vllm" as const,
      gpus: [gpu.id],
      models: [],
      slots: null,
      types: ["inference" as const],
      apiKey: null,
      loadTimeoutMs: 0,
    },
    facts: { state: "up" as const, models: ["bench"] },
    gpuIds: [],
    dropped: new Set<string>(),
  }));
  const placements = new Map<string, number>();
  return buildSnapshot({
    version: 1,
    gpus: new Map(gpus.map((gpu) => [gpu.id, gpu])),
    entries,
    sources: [
      { name: "bench", host: "127.0.0.1", lastSuccessAtMs: 0, failure: null, isOutdated: false },
    ],
    cordons: new Map(),
    engines,
    speeds: createSpeedBook(),
    placementOf(key) {
      if (!placements.has(key)) placements.set(key, placements.size);
      return placements.get(key) ?? 0;
    },
  });
}

export function benchQuestion(snapshot: FleetSnapshot, leases: Leases): Question {
  return {
    strategy: buildStrategy({
      name: "hybrid",
      weights: { usage: 0.4, priority: 0.3, performance: 0.2, health: 0.1 },
      pipelines: {},
    }),
    request: {
      user: "bench",
      gpuLimit: 100,
      atGpuLimit: false,
      model: "bench",
      path: "/v1/chat/completions",
      type: "inference",
      band: 3,
      memoryBytes: null,
      computeUnits: null,
      tried: [],
    },
    view: {
      snapshot,
      leases,
      cooldowns: { blocks: () => false, slotLimit: (_, slots) => slots, describe: () => null },
      nowMs: 0,
      maxTemperatureC: 85,
      foreignFadeMs: 10_000,
    },
    random: new Random(1),
  };
}

export function benchReport(): RequestReport {
  return {
    requestId: "5f3a7c1e-0000-4000-8000-000000000000",
    user: "bench",
    path: "/v1/chat/completions",
    model: "bench",
    band: 3,
    stream: false,
    status: 200,
    errorCode: null,
    workerId: "worker-1",
    gpuId: "gpu-1",
    attempts: 1,
    queueMs: 0,
    firstByteMs: 12.3,
    totalMs: 45.6,
    promptTokens: 100,
    completionTokens: 150,
  };
}

function benchGpu(index: number): Gpu {
  return {
    id: `gpu-${index}`,
    name: "bench",
    status: "available",
    computeCapability: 9,
    memoryTotalBytes: 80 * GIB,
    memoryUsedBytes: 40 * GIB,
    memoryFreeBytes: 40 * GIB,
    utilization: 0.5,
    temperatureC: 40 + (index % 40),
    powerUsageW: 300,
    powerLimitW: 700,
    performanceIndex: [1, 0.7, 0.5][index % 3] ?? 1,
    errorRate: 0,
    uptimeS: 1000,
    processes: [],
    endpoint: null,
    source: "bench",
    health: null,
    tooHot: false,
    isMissing: false,
  };
}
