import { beforeEach, describe, expect, test } from "vitest";
import { settle, type SettledWorker } from "../../../src/routing/settled.ts";
import type { Filter, RoutingRequest, Strategy } from "../../../src/routing/stages.ts";
import {
  fleetOf,
  modelsOf,
  routingRequest,
  servedModel,
  serving,
  viewOf,
} from "../../support/routing-builders.ts";
import { pipeline } from "../../support/routing-entries.ts";

const both = modelsOf(servedModel("m"), servedModel("other"));
const snapshot = fleetOf([0, 1, 2].map((index) => serving(index, { models: both })));

describe("workers that are eligible in a snapshot", () => {
  let looks = 0;
  let strategy: Strategy;

  /** Lets pass all but worker 1. */
  const counting: Filter = {
    name: "counting",
    scope: "snapshot",
    passes(worker) {
      looks += 1;
      return worker.index !== 1;
    },
    reject: () => ({ reason: "it is worker 1", permanent: true }),
  };
  const never: Filter = { ...counting, name: "never", scope: "moment", passes: () => false };

  beforeEach(() => {
    looks = 0;
    strategy = { ...pipeline(), filters: [counting, never] };
  });

  const ask = (request: Partial<RoutingRequest> = {}, of = snapshot): readonly SettledWorker[] =>
    settle(strategy, routingRequest(request), viewOf(of, {})).workers;
  const view = viewOf(snapshot);
  const askAgain = (request: Partial<RoutingRequest> = {}): readonly SettledWorker[] =>
    settle(strategy, routingRequest(request), view).workers;

  test("are those that pass its snapshot filters, whatever the moment's say", () => {
    expect(ask().map(({ worker }) => worker.index)).toEqual([0, 2]);
  });

  test("are looked for once per snapshot", () => {
    const first = askAgain();
    expect(looks).toBe(3);
    expect(askAgain({ band: 5, memoryBytes: 1, tried: [0] })).toBe(first);
    expect(looks).toBe(3);
  });

  test("are looked for anew with the next snapshot", () => {
    askAgain();
    const next = fleetOf([serving(7)]);
    expect(ask({}, next).map(({ worker }) => worker.index)).toEqual([7]);
    expect(looks).toBe(4);
    expect(askAgain().map(({ worker }) => worker.index)).toEqual([0, 2]);
  });

  test.each<Partial<RoutingRequest>>([
    { model: "other" },
    { path: "/v1/completions" },
    { path: null },
    { type: "training" },
  ])("are others for a request with %o", (request) => {
    askAgain();
    askAgain(request);
    expect(looks).toBe(6);
    askAgain(request);
    expect(looks).toBe(6);
  });

  test("are looked for each time where the request has a need of its own", () => {
    askAgain();
    askAgain({ computeUnits: 2 });
    askAgain({ computeUnits: 2 });
    expect(looks).toBe(9);
  });

  test("are each strategy's own", () => {
    askAgain();
    strategy = { ...strategy };
    askAgain();
    expect(looks).toBe(6);
  });

  test("are nobody for an unknown model, which is not remembered", () => {
    const workersByModel = new Map(snapshot.workersByModel);
    const growing = viewOf({ ...snapshot, workersByModel });
    const request = routingRequest({ model: "unknown" });
    expect(settle(strategy, request, growing).workers).toEqual([]);
    workersByModel.set("unknown", snapshot.workers);
    expect(settle(strategy, request, growing).workers).toHaveLength(2);
  });
});

test("what is left for the moment are filters and scorers that see leases, history or rivals", () => {
  const strategy = pipeline({ scorers: { usage: 1, priority: 1, performance: 1, health: 1 } });
  const { filters, scorers } = settle(strategy, routingRequest(), viewOf(snapshot));
  const names = ["memory", "cooldown", "free_slot", "gpu_limit", "untried"];
  expect(filters.map(({ name }) => name)).toEqual(names);
  expect(scorers.map(({ scorer }) => scorer.name)).toEqual(["usage", "priority"]);
});

test("a worker's settled score is the weighted sum of the snapshot's scorers", () => {
  const scored = (scope: "snapshot" | "moment", score: number) => ({
    scorer: { name: "fixed", scope, score: () => score },
    weight: 0.5,
  });
  const strategy = { ...pipeline(), scorers: [scored("snapshot", 0.6), scored("moment", 1)] };
  const { workers, scorers } = settle(strategy, routingRequest(), viewOf(snapshot));
  expect(workers.map(({ score }) => score)).toEqual([0.3, 0.3, 0.3]);
  expect(scorers).toHaveLength(1);
});
