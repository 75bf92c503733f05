import type { Filter, Picker, Scorer, Strategy } from "../../src/routing/stages.ts";
import { buildStrategy, ROUTING_NAMES, type Pipeline } from "../../src/routing/strategies.ts";
import { strategyNamed } from "./routing-builders.ts";

/** Every stage and strategy that src/routing/strategies.ts has, so that suites run on new ones, too. */

/** A strategy made of these names, as an operator's pipeline is. */
export function pipeline(parts: Partial<Pipeline> = {}): Strategy {
  const own = { filters: ROUTING_NAMES.filters, scorers: {}, picker: "best", ...parts };
  return buildStrategy({ name: "own", weights: {}, pipelines: { own } });
}

export const FILTERS: readonly Filter[] = pipeline().filters;

export const SCORERS: readonly Scorer[] = pipeline({
  scorers: Object.fromEntries(ROUTING_NAMES.scorers.map((name) => [name, 1])),
}).scorers.map(({ scorer }) => scorer);

export const PICKERS: Readonly<Record<string, () => Picker>> = Object.fromEntries(
  ROUTING_NAMES.pickers.map((name) => [name, () => pipeline({ picker: name }).picker]),
);

export const STRATEGIES: Readonly<Record<string, () => Strategy>> = {
  ...Object.fromEntries(ROUTING_NAMES.strategies.map((name) => [name, () => strategyNamed(name)])),
  "a pipeline with every scorer and no optional filter": () =>
    pipeline({
      filters: [],
      scorers: Object.fromEntries(ROUTING_NAMES.scorers.map((name, at) => [name, at + 1])),
    }),
  "a pipeline of one scorer and one filter": () =>
    pipeline({ filters: ["memory"], scorers: { health: 3 }, picker: "power_of_two" }),
};
