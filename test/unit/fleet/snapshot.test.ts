import { describe, expect, test } from "vitest";
import { engines } from "../../../src/fleet/engines/engines.ts";
import {
  buildSnapshot,
  type SnapshotParts,
  type WorkerEntry,
} from "../../../src/fleet/snapshot.ts";
import { createSpeedBook } from "../../../src/fleet/speed.ts";
import type { ServedModel, WorkerFacts, WorkerSpec } from "../../../src/fleet/worker.ts";
import { gpu, workerSpec } from "../../support/fleet-builders.ts";

function entry(index: number, changes: Partial<WorkerSpec>, facts: WorkerFacts = {}): WorkerEntry {
  return {
    index,
    spec: workerSpec(`node${index}`, changes),
    gpuIds: [],
    facts,
    dropped: new Set(),
  };
}

function snapshotOf(entries: readonly WorkerEntry[], changes: Partial<SnapshotParts> = {}) {
  const placements: string[] = [];
  return buildSnapshot({
    version: 1,
    gpus: new Map(["a", "b"].map((id) => [id, gpu(id)])),
    entries,
    sources: [
      { name: "monitor", host: "node0", lastSuccessAtMs: null, failure: null, isOutdated: false },
    ],
    cordons: new Map(),
    engines,
    speeds: createSpeedBook(),
    placementOf(key) {
      if (!placements.includes(key)) placements.push(key);
      return placements.indexOf(key);
    },
    ...changes,
  });
}

function onlyWorker(changes: Partial<WorkerSpec>, facts: WorkerFacts = {}) {
  const [worker] = snapshotOf([entry(0, changes, facts)]).workers;
  if (!worker) throw new Error("no worker in the snapshot");
  return worker;
}

function model(name: string, as = name): ServedModel {
  return { name, as, minComputeCapability: null, memoryBytes: null };
}

describe("a worker's slots", () => {
  test("are what the operator says, before what the worker says, before the engine's default", () => {
    expect(onlyWorker({ slots: 3 }, { slots: 5 }).slots).toBe(3);
    expect(onlyWorker({}, { slots: 5 }).slots).toBe(5);
    expect(onlyWorker({}).slots).toBe(256);
  });
});

describe("a worker's GPUs", () => {
  test("that telemetry does not know stay its GPUs, without readings", () => {
    const worker = onlyWorker({ gpus: ["a", "unknown"] });
    expect(worker.gpuIds).toEqual(["a", "unknown"]);
    expect(worker.gpus.map(({ id }) => id)).toEqual(["a"]);
  });

  test("with auto are those of the source on its host", () => {
    expect(onlyWorker({ gpus: "auto" }).gpuIds).toEqual(["a", "b"]);
    expect(onlyWorker({ gpus: "auto", url: "http://elsewhere:8000" }).gpuIds).toEqual([]);
  });

  test("make one placement for workers on the same set, in any order", () => {
    const { workers } = snapshotOf([
      entry(0, { gpus: ["a", "b"] }),
      entry(1, { gpus: ["b", "a"] }),
      entry(2, { gpus: ["a"] }),
    ]);
    expect(workers.map(({ placement }) => placement)).toEqual([0, 0, 1]);
  });

  test("if none are known make a placement of its own for each worker", () => {
    const { workers } = snapshotOf([entry(0, {}), entry(1, {})]);
    expect(workers.map(({ placement }) => placement)).toEqual([0, 1]);
  });
});

describe("a worker's models", () => {
  test("are what it says when the operator names none", () => {
    const worker = onlyWorker({}, { models: ["llama", "qwen"] });
    expect([...worker.models.keys()]).toEqual(["llama", "qwen"]);
    expect(worker.modelsKnown).toBe(true);
  });

  test("are only those the operator names, by their public name", () => {
    const worker = onlyWorker({ models: [model("served", "public")] }, { models: ["other"] });
    expect([...worker.models]).toEqual([["public", model("served", "public")]]);
  });

  test("are unknown until somebody says", () => {
    expect(onlyWorker({}).modelsKnown).toBe(false);
    expect(onlyWorker({ models: [model("llama")] }).modelsKnown).toBe(true);
  });

  test("that were dropped are not served", () => {
    const dropped = { ...entry(0, {}, { models: ["llama", "qwen"] }), dropped: new Set(["qwen"]) };
    expect([...snapshotOf([dropped]).workersByModel.keys()]).toEqual(["llama"]);
  });

  test("lead to the workers that serve them", () => {
    const { workersByModel } = snapshotOf([
      entry(0, {}, { models: ["llama"] }),
      entry(1, {}, { models: ["llama", "__proto__"] }),
    ]);
    expect(workersByModel.get("llama")?.map(({ id }) => id)).toEqual(["node0", "node1"]);
    expect(workersByModel.get("__proto__")?.map(({ id }) => id)).toEqual(["node1"]);
    expect(workersByModel.get("constructor")).toBeUndefined();
  });
});

describe("a worker that was never asked", () => {
  test("is starting, and takes the rest from its engine", () => {
    expect(onlyWorker({ engine: "ollama" })).toMatchObject({
      state: "starting",
      stateReason: null,
      slots: 1,
      preallocatesMemory: false,
      loadedModels: null,
      load: null,
    });
  });
});

test("a worker knows whether any of its models says how much memory it needs", () => {
  const plain = { name: "a", as: "a", minComputeCapability: null, memoryBytes: null };
  expect(onlyWorker({ models: [plain] }).knowsModelMemory).toBe(false);
  const large = { ...plain, name: "b", as: "b", memoryBytes: 1e9 };
  expect(onlyWorker({ models: [plain, large] }).knowsModelMemory).toBe(true);
});
