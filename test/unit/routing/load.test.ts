import { describe, expect, test } from "vitest";
import { foreignLoad, modelLoadCost, mustLoadModel } from "../../../src/routing/load.ts";
import { fleetOf, modelsOf, servedModel, serving, viewOf } from "../../support/routing-builders.ts";

describe("foreign load", () => {
  const at = (nowMs: number, active: number, ownAtPoll: number) => {
    const load = { active, ownAtPoll, receivedAtMs: 5000 };
    return foreignLoad(serving(0, { load }), viewOf(fleetOf([]), { nowMs, foreignFadeMs: 10_000 }));
  };

  test("is what a worker reports beyond our own leases at that moment", () => {
    expect(at(5000, 7, 3)).toBe(4);
    expect(at(5000, 3, 3)).toBe(0);
  });

  test("is never below zero: our requests may not have arrived yet", () => {
    expect(at(5000, 1, 3)).toBe(0);
  });

  test("fades with its age", () => {
    expect(at(15_000, 7, 3)).toBeCloseTo(4 / Math.E);
    expect(at(25_000, 7, 3)).toBeCloseTo(4 / Math.E ** 2);
    expect(at(5000 + 3_600_000, 7, 3)).toBeCloseTo(0);
  });

  test("is none where the worker does not say", () => {
    expect(foreignLoad(serving(0), viewOf(fleetOf([])))).toBe(0);
  });
});

describe("a model that must be loaded first", () => {
  const models = modelsOf(servedModel("served-name", { as: "m" }));

  test("is one that the worker serves and has not loaded, by the name it uses itself", () => {
    expect(mustLoadModel(serving(0, { models, loadedModels: new Set() }), "m")).toBe(true);
    expect(mustLoadModel(serving(0, { models, loadedModels: new Set(["m"]) }), "m")).toBe(true);
    const loaded = serving(0, { models, loadedModels: new Set(["served-name"]) });
    expect(mustLoadModel(loaded, "m")).toBe(false);
  });

  test("is none where models are loaded at start, or the worker does not serve it", () => {
    expect(mustLoadModel(serving(0, { models }), "m")).toBe(false);
    expect(mustLoadModel(serving(0, { models, loadedModels: new Set() }), "other")).toBe(false);
  });

  test("costs as much as three requests", () => {
    expect(modelLoadCost(serving(0, { models, loadedModels: new Set() }), "m")).toBe(3);
    expect(modelLoadCost(serving(0, { models }), "m")).toBe(0);
  });
});
