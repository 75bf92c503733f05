import { readFileSync } from "node:fs";
import fc from "fast-check";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { ENGINE_NAMES } from "../../src/fleet/worker.ts";
import { decide } from "../../src/routing/decide.ts";
import { explain } from "../../src/routing/explain.ts";
import type { Filter } from "../../src/routing/stages.ts";
import { buildStrategy, ROUTING_NAMES } from "../../src/routing/strategies.ts";
import { anyMoment, anyRequest, anyWorkers } from "../support/fleet-arbitraries.ts";
import { gpu } from "../support/fleet-builders.ts";
import {
  fleetOf,
  questionOf,
  serving,
  strategyNamed,
  viewOf,
} from "../support/routing-builders.ts";
import { FILTERS } from "../support/routing-entries.ts";
import { tableRows } from "./markdown.ts";
import { ROOT } from "./source-text.ts";

const docs = readFileSync(`${ROOT}docs/routing.md`, "utf8");
const columns = (heading: string, ...which: number[]) =>
  tableRows(docs, heading).map((row) => which.map((column) => row[column]));
const named = (name: string): string => `\`${name}\``;

const cases = fc.sample(
  fc.record({ workers: anyWorkers, moment: anyMoment, request: anyRequest }),
  { seed: 1, numRuns: 500 },
);

/** Found by asking: what a filter's rejections of generated workers say. */
function howLong(filter: Filter): string {
  const said = new Set<string>();
  for (const { workers, moment, request } of cases) {
    const view = viewOf(fleetOf(workers), moment);
    for (const worker of workers) {
      if (filter.passes(worker, request, view)) continue;
      said.add(filter.reject(worker, request, view).permanent ? "for ever" : "for now");
    }
  }
  return said.size === 2 ? "either" : [...said].join();
}

test("docs/routing.md has every filter, in order, how long it rejects and whether it must stay", () => {
  const rows = FILTERS.map((filter) => {
    const mayBeLeftOut = ROUTING_NAMES.filters.includes(filter.name);
    return [named(filter.name), howLong(filter), mayBeLeftOut ? "yes" : "no"];
  });
  expect(columns("## Filters", 0, 2, 3)).toEqual(rows);
});

test("docs/routing.md has every scorer and every picker, in order", () => {
  const names = (all: readonly string[]) => all.map((name) => [named(name)]);
  expect(columns("## Scorers", 0)).toEqual(names(ROUTING_NAMES.scorers));
  expect(columns("## Pickers", 0)).toEqual(names(ROUTING_NAMES.pickers));
});

test("docs/routing.md has every strategy, with its weights and its picker", () => {
  const rows = ROUTING_NAMES.strategies.map((name) => {
    const { scorers, picker } = strategyNamed(name);
    const weights = scorers.map(({ scorer, weight }) => `${named(scorer.name)} ${rounded(weight)}`);
    return [named(name), weights.join(", ") || "none", named(picker.name)];
  });
  expect(columns("## Strategies", 0, 1, 2)).toEqual(rows);
});

test("no cell of its tables is empty", () => {
  const headings = ["## Words", "## Filters", "## Scorers", "## Pickers", "## Strategies"];
  const cells = headings.flatMap((heading) => tableRows(docs, heading).flat());
  expect(cells.filter((cell) => cell === "")).toEqual([]);
});

test("the pipeline that docs/routing.md shows is accepted, and is what it says", () => {
  const names = { ...ROUTING_NAMES, engines: ENGINE_NAMES };
  const config = configSchema({ names, env: {} }).parse(load(codeBlock("yaml")));
  const { strategy: name, weights } = config.load_balancer;
  const strategy = buildStrategy({ name, weights, pipelines: config.strategies });
  const optional = strategy.filters.map((filter) => filter.name).filter(isOptional);
  expect(optional).toEqual(["gpu_status", "temperature", "memory"]);
  expect(strategy.scorers.map(({ weight }) => weight)).toEqual([0.375, 0.125, 0.5]);
});

/** node1 is fast, warm and busy, node2 idle, node3 too hot. */
const fleet = [{ temperatureC: 70 }, { temperatureC: 45 }, { temperatureC: 91, tooHot: true }].map(
  (figures, index) =>
    serving(index, {
      id: `node${index + 1}`,
      gpuIds: [`GPU-${index + 1}`],
      gpus: [gpu(`GPU-${index + 1}`, figures)],
    }),
);

test("the decision that docs/routing.md shows is the router's", () => {
  const moment = { own: { 0: 3 }, speeds: { 0: 2 } };
  const question = questionOf(fleet, moment);
  expect(JSON.parse(codeBlock("json"))).toEqual(explain(question, decide(question)));
  const { pool } = decide(questionOf(fleet, moment, { request: { band: 5 } }));
  const scores = pool.candidates.map(({ score }) => score.toFixed(2));
  expect(docs).toContain(`at band 5 the two would be at ${scores.join(" and ")}.`);
});

function rounded(weight: number): number {
  return Number(weight.toFixed(9));
}

function isOptional(filter: string): boolean {
  return ROUTING_NAMES.filters.includes(filter);
}

function codeBlock(language: string): string {
  const block = docs.split(`\`\`\`${language}\n`)[1]?.split("```")[0];
  if (block === undefined) throw new Error(`docs/routing.md shows no ${language}`);
  return block;
}
