import { describe, expect, test } from "vitest";
import type { Gpu } from "../../../../src/fleet/gpu.ts";
import type { SourceState } from "../../../../src/fleet/snapshot.ts";
import type { Worker } from "../../../../src/fleet/worker.ts";
import { allocatedBytes, memory } from "../../../../src/routing/filters/memory.ts";
import type { Rejection, RoutingRequest } from "../../../../src/routing/stages.ts";
import { gpu } from "../../../support/fleet-builders.ts";
import {
  fleetOf,
  modelsOf,
  routingRequest,
  servedModel,
  serving,
  viewOf,
  type Moment,
} from "../../../support/routing-builders.ts";

const MIB = 2 ** 20;

/** Two GPUs of 1000 MB, half of it free. */
const GPUS = ["a", "b"].map((id) =>
  gpu(id, { memoryTotalBytes: 1000 * MIB, memoryFreeBytes: 500 * MIB }),
);

/** Loads models on demand, and has not loaded m. */
const onDemand: Partial<Worker> = { preallocatesMemory: false, loadedModels: new Set() };

interface Case {
  readonly needMb?: number;
  readonly worker?: Partial<Worker>;
  readonly gpus?: readonly Gpu[];
  readonly type?: RoutingRequest["type"];
  readonly path?: RoutingRequest["path"];
  readonly moment?: Moment;
}

function verdict({ needMb, worker, gpus = GPUS, type, path, moment }: Case): Rejection | null {
  const asked = [
    serving(0, { gpuIds: ["a", "b"], gpus, ...worker }),
    routingRequest({
      memoryBytes: needMb === undefined ? null : needMb * MIB,
      ...(type ? { type } : {}),
      ...(path === undefined ? {} : { path }),
    }),
    viewOf(fleetOf([]), moment),
  ] as const;
  return memory.passes(...asked) ? null : memory.reject(...asked);
}

describe("a worker that took its memory at start", () => {
  test("is held against its total, because free memory says nothing about room", () => {
    expect(verdict({ needMb: 1500 })).toBeNull();
    expect(verdict({ needMb: 2001 })).toEqual({
      reason: "has 2000 MB in all, 2001 MB needed",
      permanent: true,
    });
  });

  test.each([
    { what: "training", request: { type: "training" } },
    { what: "a placement", request: { path: null } },
  ] as const)("needs free memory for $what, which allocates anyway", ({ request }) => {
    expect(verdict({ needMb: 1000, ...request })).toBeNull();
    expect(verdict({ needMb: 1001, ...request })).toEqual({
      reason: "has 1000 MB free, 1001 MB needed",
      permanent: false,
    });
  });
});

describe("a worker that loads models on demand", () => {
  test("needs free memory for a model that is not loaded", () => {
    expect(verdict({ needMb: 1000, worker: onDemand })).toBeNull();
    expect(verdict({ needMb: 1001, worker: onDemand })?.permanent).toBe(false);
  });

  test("needs none for a model that is loaded", () => {
    const worker = { ...onDemand, loadedModels: new Set(["m"]) };
    expect(verdict({ needMb: 1001, worker })).toBeNull();
  });

  test("is never enough for more than its total, however free", () => {
    expect(verdict({ needMb: 2001, worker: onDemand })?.permanent).toBe(true);
  });

  test("is asked for what the model needs where the request says nothing", () => {
    const models = modelsOf(servedModel("m", { memoryBytes: 1001 * MIB }));
    expect(verdict({ worker: { ...onDemand, models } })?.reason).toContain("1001 MB needed");
    expect(verdict({ needMb: 1, worker: { ...onDemand, models } })).toBeNull();
  });
});

describe("memory that leases promised", () => {
  const sources: readonly SourceState[] = [
    { name: "monitor", host: "h", lastSuccessAtMs: 50, failure: null, isOutdated: false },
    { name: "other", host: "i", lastSuccessAtMs: 40, failure: null, isOutdated: false },
  ];

  test("is no longer free until telemetry has seen it", () => {
    const asked: number[][] = [];
    const promisedBytes = (placement: number, sinceMs: number): number => {
      asked.push([placement, sinceMs]);
      return 400 * MIB;
    };
    const worker = { ...onDemand, placement: 3 };
    const moment = { promisedBytes, sources };
    expect(verdict({ needMb: 600, worker, moment })).toBeNull();
    expect(verdict({ needMb: 601, worker, moment })?.reason).toBe("has 600 MB free, 601 MB needed");
    expect(asked[0]).toEqual([3, 50]);
  });

  test("counts from the older of two sources", () => {
    const since: number[] = [];
    const promisedBytes = (_: number, sinceMs: number): number => {
      since.push(sinceMs);
      return 0;
    };
    const gpus = [GPUS[0]!, { ...GPUS[1]!, source: "other" }];
    verdict({ needMb: 1, worker: onDemand, gpus, moment: { promisedBytes, sources } });
    expect(since).toEqual([40]);
  });

  test("never shows as less than nothing free", () => {
    const moment = { promisedBytes: () => 5000 * MIB };
    expect(verdict({ needMb: 1, worker: onDemand, moment })?.reason).toContain("has 0 MB free");
  });
});

describe("memory that nobody reports", () => {
  const [a, b] = GPUS as [Gpu, Gpu];

  test("passes", () => {
    expect(verdict({ needMb: 1e9, worker: { ...onDemand, gpuIds: [] }, gpus: [] })).toBeNull();
    const gpus = [a, { ...b, memoryTotalBytes: null, memoryFreeBytes: null }];
    expect(verdict({ needMb: 1e9, worker: onDemand, gpus })).toBeNull();
  });

  test("is unknown as a whole where telemetry knows only some of the worker's GPUs", () => {
    expect(verdict({ needMb: 1500, gpus: [a] })).toBeNull();
    expect(verdict({ needMb: 700, worker: onDemand, gpus: [a] })).toBeNull();
  });

  test("does not make a lack of free memory permanent where the total is unknown", () => {
    const gpus = GPUS.map((known) => ({ ...known, memoryTotalBytes: null }));
    expect(verdict({ needMb: 1001, worker: onDemand, gpus })).toEqual({
      reason: "has 1000 MB free, 1001 MB needed",
      permanent: false,
    });
  });
});

describe("what a lease promises", () => {
  const request = routingRequest({ memoryBytes: 7 });

  test("is the need where the request allocates, and nothing elsewhere", () => {
    expect(allocatedBytes(serving(0, onDemand), request)).toBe(7);
    expect(allocatedBytes(serving(0, onDemand), routingRequest())).toBe(0);
    expect(allocatedBytes(serving(0), request)).toBe(0);
    expect(allocatedBytes(serving(0), { ...request, type: "training" })).toBe(7);
    expect(allocatedBytes(serving(0), { ...request, path: null })).toBe(7);
  });
});
