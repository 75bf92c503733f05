import fc from "fast-check";
import type { Cordon } from "../../src/fleet/cordons.ts";
import type { Gpu } from "../../src/fleet/gpu.ts";
import type { SourceState } from "../../src/fleet/snapshot.ts";
import { API_PATHS, ENGINE_NAMES, type Worker } from "../../src/fleet/worker.ts";
import type { Band, RoutingRequest } from "../../src/routing/stages.ts";
import { gpu, workerAt } from "./fleet-builders.ts";
import { modelsOf, routingRequest, servedModel, type Moment } from "./routing-builders.ts";

const GIB = 2 ** 30;
/** Every moment of a generated fleet is later than everything it reports. */
const NOW_MS = 1e9;

const unknownOr = <T>(known: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(known);

const between = (min: number, max: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constantFrom(min, max),
    fc.double({ min, max, noNaN: true, noDefaultInfinity: true }),
  );

/** Unknown, idle, hot, broken, and figures that no machine has: sources let all of them through. */
function anyGpu(id: string): fc.Arbitrary<Gpu> {
  return fc
    .record({
      status: fc.constantFrom("available", "available", "busy", "error", "maintenance"),
      computeCapability: unknownOr(between(1, 99)),
      memoryTotalBytes: unknownOr(between(0, 2 ** 50)),
      memoryFreeBytes: unknownOr(between(0, 2 ** 50)),
      utilization: unknownOr(between(0, 1)),
      temperatureC: unknownOr(between(-50, 200)),
      powerUsageW: unknownOr(between(0, 1e6)),
      powerLimitW: unknownOr(between(0, 1e6)),
      performanceIndex: unknownOr(between(0, 1)),
      errorRate: unknownOr(between(0, 1)),
      health: fc.constantFrom(
        null,
        { status: "healthy", errors: [] },
        { status: "warning", errors: [] },
        { status: "critical", errors: ["XID 79"] },
      ),
      tooHot: fc.constantFrom(false, false, true),
    } as const)
    .map((figures) => gpu(id, figures as Partial<Gpu>));
}

const anyGpus = (index: number): fc.Arbitrary<Pick<Worker, "gpuIds" | "gpus">> =>
  fc.nat(3).chain((count) => {
    const gpuIds = Array.from({ length: count }, (_, at) => `GPU-${index}-${at}`);
    return fc
      .tuple(fc.tuple(...gpuIds.map(anyGpu)), fc.nat(count))
      .map(([gpus, known]) => ({ gpuIds, gpus: gpus.slice(0, known) }));
  });

const anyModel = (name: string) =>
  fc
    .record({
      minComputeCapability: unknownOr(between(1, 12)),
      memoryBytes: unknownOr(between(0, 200 * GIB)),
    })
    .map((needs) => servedModel(name, needs));

const anyLoad = fc.record({
  active: between(0, 1e6),
  ownAtPoll: fc.nat(300),
  receivedAtMs: between(0, NOW_MS),
});

const rarely = <T>(found: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: found });

const anyCordon = (index: number): fc.Arbitrary<Cordon> =>
  fc.record({
    id: fc.constantFrom(`worker-${index}`, `GPU-${index}-0`),
    reason: fc.constantFrom(null, "driver upgrade"),
    sinceWallMs: fc.nat(NOW_MS),
    workerIds: fc.constant([]),
    by: fc.constant("alice"),
  });

/** A worker that is more likely than not to take a request for m; every reason not to occurs. */
function anyWorker(index: number): fc.Arbitrary<Worker> {
  return fc
    .record({
      gpus: anyGpus(index),
      engine: fc.constantFrom(...ENGINE_NAMES),
      types: fc.constantFrom(["inference"] as const, ["inference", "training"] as const),
      slots: fc.constantFrom(1, 2, 256, 100_000),
      paths: fc.constantFrom(new Set(API_PATHS), new Set(API_PATHS), new Set(["/v1/rerank"])),
      preallocatesMemory: fc.boolean(),
      state: fc.constantFrom("up", "up", "up", "up", "starting", "down"),
      cordon: rarely(anyCordon(index)),
      modelsKnown: fc.boolean(),
      m: unknownOr(anyModel("m")),
      loadedModels: fc.constantFrom(null, new Set(["m"]), new Set<string>()),
      load: unknownOr(anyLoad),
    } as const)
    .map(({ gpus, m, ...rest }) => {
      const models = m === null ? modelsOf(servedModel("other")) : modelsOf(m);
      return workerAt(index, { ...rest, ...gpus, models } as Partial<Worker>);
    });
}

/** 0 to 12 unlike workers; indices have gaps, because workers come and go. */
export const anyWorkers: fc.Arbitrary<readonly Worker[]> = fc
  .uniqueArray(fc.nat(200), { maxLength: 12 })
  .chain((indices) => fc.tuple(...indices.map(anyWorker)));

/** It has not answered yet. */
const SILENT_SOURCE: SourceState = {
  name: "silent",
  host: "silent",
  lastSuccessAtMs: null,
  failure: null,
  isOutdated: false,
};

/** Leases, cooldowns and speeds over all indices that a generated fleet may have. */
export const anyMoment: fc.Arbitrary<Moment> = fc
  .record({
    leases: fc.array(fc.constantFrom(0, 0, 1, 2, 255, 256), { minLength: 7, maxLength: 7 }),
    cooling: fc.array(fc.constantFrom(null, null, null, "cooling", "probing", "due"), {
      minLength: 5,
      maxLength: 5,
    }),
    speeds: fc.array(between(0.2, 5), { minLength: 3, maxLength: 11 }),
    held: fc.uniqueArray(fc.nat(200), { maxLength: 100 }),
    promised: fc.constantFrom(0, GIB, 2 ** 50),
    foreignFadeMs: fc.constantFrom(200, 10_000, 7_200_000),
    sources: fc.constantFrom([], [SILENT_SOURCE]),
  })
  .map(({ leases, cooling, speeds, held, promised, foreignFadeMs, sources }) => ({
    own: Object.fromEntries(INDICES.map((index) => [index, leases[index % 7] ?? 0])),
    cooldowns: Object.fromEntries(
      INDICES.flatMap((index) => {
        const state = cooling[index % 5] ?? null;
        if (state === null) return [];
        const untilMs = state === "cooling" ? NOW_MS + 60_000 : NOW_MS - 1;
        return [[index, { reason: "it failed", untilMs, blocks: state !== "due" }]];
      }),
    ),
    speeds: Object.fromEntries(INDICES.map((i) => [i, speeds[i % speeds.length] ?? 1])),
    held,
    promisedBytes: () => promised,
    nowMs: NOW_MS,
    foreignFadeMs,
    sources,
  }));

const INDICES = Array.from({ length: 201 }, (_, index) => index);

export const anyRequest: fc.Arbitrary<RoutingRequest> = fc
  .record({
    model: fc.constantFrom("m", "m", "m", "other", "unknown"),
    path: fc.constantFrom("/v1/chat/completions", "/v1/chat/completions", "/v1/rerank", null),
    type: fc.constantFrom("inference", "inference", "training"),
    band: fc.integer({ min: 1, max: 5 }).map((band) => band as Band),
    gpuLimit: fc.constantFrom(0, 2, 100),
    atGpuLimit: fc.constantFrom(false, false, true),
    memoryBytes: unknownOr(between(0, 300 * GIB)),
    computeUnits: unknownOr(fc.integer({ min: 1, max: 3 })),
    tried: fc.array(fc.nat(200), { maxLength: 3 }),
  } as const)
  .map((changes) => routingRequest(changes));

/** The same items in any order. */
export function shuffled<T>(items: readonly T[]): fc.Arbitrary<readonly T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length });
}
