import { describe, expect, test } from "vitest";
import { buildStrategy, ROUTING_NAMES } from "../../../src/routing/strategies.ts";
import { strategyNamed } from "../../support/routing-builders.ts";
import { pipeline, STRATEGIES } from "../../support/routing-entries.ts";

const REQUIRED = [
  "serves_model",
  "serves_type",
  "serves_path",
  "cordoned",
  "worker_up",
  "cooldown",
  "free_slot",
  "gpu_limit",
  "untried",
];

const filterNames = (strategy: ReturnType<typeof pipeline>) =>
  strategy.filters.map(({ name }) => name);

test("the built-in strategies have these names", () => {
  expect(ROUTING_NAMES.strategies).toEqual([
    "hybrid",
    "dynamic",
    "priority",
    "resource",
    "round_robin",
    "least_requests",
    "power_of_two",
  ]);
});

test.each(ROUTING_NAMES.strategies)("%s goes by its name and has every filter", (name) => {
  const strategy = strategyNamed(name);
  expect(strategy.name).toBe(name);
  expect(new Set(filterNames(strategy))).toEqual(new Set([...REQUIRED, ...ROUTING_NAMES.filters]));
});

test.each(ROUTING_NAMES.scorers)("%s says the same as a scorer and in a pipeline", (name) => {
  const [only] = pipeline({ scorers: { [name]: 1 } }).scorers;
  expect(only?.scorer.name).toBe(name);
});

test.each(ROUTING_NAMES.pickers)("%s says the same as a picker and in a pipeline", (name) => {
  expect(pipeline({ picker: name }).picker.name).toBe(name);
});

describe("a pipeline of an operator's", () => {
  test("keeps the filters without which a request goes where it cannot be served", () => {
    expect(filterNames(pipeline({ filters: [] }))).toEqual(REQUIRED);
  });

  test("adds the filters that it names, in the order of the house", () => {
    const names = filterNames(pipeline({ filters: ["memory", "gpu_status"] }));
    expect(names.filter((name) => !REQUIRED.includes(name))).toEqual(["gpu_status", "memory"]);
  });

  test("has its weights scaled to a sum of 1, and drops scorers of weight 0", () => {
    const { scorers } = pipeline({ scorers: { usage: 3, health: 1, performance: 0 } });
    expect(scorers.map(({ scorer, weight }) => [scorer.name, weight])).toEqual([
      ["usage", 0.75],
      ["health", 0.25],
    ]);
  });

  test("may do without scorers", () => {
    expect(pipeline({ picker: "round_robin" }).scorers).toEqual([]);
  });

  test("is found before a built-in strategy", () => {
    const own = { filters: [], scorers: {}, picker: "round_robin" };
    const strategy = buildStrategy({ name: "dynamic", weights: {}, pipelines: { dynamic: own } });
    expect(strategy.picker.name).toBe("round_robin");
  });
});

test("hybrid takes the weights of load_balancer.weights; the others keep their own", () => {
  const weights = { usage: 1, priority: 0, performance: 0, health: 3 };
  const weighted = (name: string) =>
    buildStrategy({ name, weights, pipelines: {} }).scorers.map(({ scorer, weight }) => [
      scorer.name,
      weight,
    ]);
  expect(weighted("hybrid")).toEqual([
    ["usage", 0.25],
    ["health", 0.75],
  ]);
  expect(weighted("dynamic")).toEqual([["usage", 1]]);
});

test.each([
  ["strategy", () => strategyNamed("nonsense")],
  ["scorer", () => pipeline({ scorers: { nonsense: 1 } })],
  ["picker", () => pipeline({ picker: "nonsense" })],
])("a %s that is not there is a defect", (what, build) => {
  expect(build).toThrow(`no ${what} is called`);
});

test("each strategy has a picker of its own, so that none takes another's turn", () => {
  const make = STRATEGIES["round_robin"]!;
  expect(make().picker).not.toBe(make().picker);
});
