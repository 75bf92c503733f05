import { computeCapability } from "./filters/compute-capability.ts";
import { computeUnits } from "./filters/compute-units.ts";
import { cooldown } from "./filters/cooldown.ts";
import { cordoned } from "./filters/cordoned.ts";
import { freeSlot } from "./filters/free-slot.ts";
import { gpuLimit } from "./filters/gpu-limit.ts";
import { gpuStatus } from "./filters/gpu-status.ts";
import { memory } from "./filters/memory.ts";
import { servesModel } from "./filters/serves-model.ts";
import { servesPath } from "./filters/serves-path.ts";
import { servesType } from "./filters/serves-type.ts";
import { temperature } from "./filters/temperature.ts";
import { untried } from "./filters/untried.ts";
import { workerUp } from "./filters/worker-up.ts";
import { best } from "./pickers/best.ts";
import { highestScore } from "./pickers/highest-score.ts";
import { powerOfTwo } from "./pickers/power-of-two.ts";
import { createRoundRobin } from "./pickers/round-robin.ts";
import { health } from "./scorers/health.ts";
import { leastRequests } from "./scorers/least-requests.ts";
import { memoryFit } from "./scorers/memory-fit.ts";
import { performance } from "./scorers/performance.ts";
import { priority } from "./scorers/priority.ts";
import { usage } from "./scorers/usage.ts";
import type { Filter, Picker, Scorer, Strategy } from "./stages.ts";

/** Without these a request could go where it cannot or must not: every strategy has them. */
const REQUIRED_FILTERS: readonly Filter[] = [
  servesModel,
  servesType,
  servesPath,
  cordoned,
  workerUp,
];
const REQUIRED_MOMENT_FILTERS: readonly Filter[] = [cooldown, freeSlot, gpuLimit, untried];

/** A user's pipeline may leave these out, or name some. */
const OPTIONAL_FILTERS: readonly Filter[] = [
  computeUnits,
  computeCapability,
  gpuStatus,
  temperature,
  memory,
];

const SCORERS: readonly Scorer[] = [usage, priority, performance, health, memoryFit, leastRequests];

const PICKERS: Readonly<Record<string, () => Picker>> = {
  best: () => best,
  highest_score: () => highestScore,
  power_of_two: () => powerOfTwo,
  round_robin: createRoundRobin,
};

/** A strategy by names, as users write it in `strategies:`. */
export interface Pipeline {
  /** Names of optional filters; the required ones always apply. */
  readonly filters: readonly string[];
  readonly scorers: Readonly<Record<string, number>>;
  readonly picker: string;
}

const ALL_OPTIONAL = OPTIONAL_FILTERS.map((filter) => filter.name);

/** hybrid's scorers get the weights of load_balancer.weights. */
const STRATEGIES: Readonly<Record<string, Pipeline>> = {
  hybrid: { filters: ALL_OPTIONAL, scorers: {}, picker: "best" },
  dynamic: { filters: ALL_OPTIONAL, scorers: { usage: 1 }, picker: "best" },
  priority: { filters: ALL_OPTIONAL, scorers: { priority: 1 }, picker: "best" },
  resource: { filters: ALL_OPTIONAL, scorers: { memory_fit: 1 }, picker: "best" },
  round_robin: { filters: ALL_OPTIONAL, scorers: {}, picker: "round_robin" },
  least_requests: {
    filters: ALL_OPTIONAL,
    scorers: { least_requests: 1 },
    picker: "highest_score",
  },
  power_of_two: { filters: ALL_OPTIONAL, scorers: {}, picker: "power_of_two" },
};

/** What a config may name. */
export const ROUTING_NAMES = {
  strategies: Object.keys(STRATEGIES),
  filters: ALL_OPTIONAL,
  scorers: SCORERS.map((scorer) => scorer.name),
  pickers: Object.keys(PICKERS),
} as const;

export interface StrategyChoice {
  readonly name: string;
  /** load_balancer.weights, used by hybrid. */
  readonly weights: Readonly<Record<string, number>>;
  /** The user's own pipelines, by name. */
  readonly pipelines: Readonly<Record<string, Pipeline>>;
}

/** Names are checked when the config is read: an unknown one here is a defect and throws. */
export function buildStrategy({ name, weights, pipelines }: StrategyChoice): Strategy {
  const pipeline = pipelines[name] ?? STRATEGIES[name];
  if (!pipeline) throw new Error(`no strategy is called ${name}`);
  const scorers = name === "hybrid" ? weights : pipeline.scorers;
  const total = Object.values(scorers).reduce((sum, weight) => sum + weight, 0);
  return {
    name,
    filters: [
      ...REQUIRED_FILTERS,
      ...OPTIONAL_FILTERS.filter((filter) => pipeline.filters.includes(filter.name)),
      ...REQUIRED_MOMENT_FILTERS,
    ],
    scorers: Object.entries(scorers)
      .filter(([, weight]) => weight > 0)
      .map(([scorer, weight]) => ({ scorer: scorerNamed(scorer), weight: weight / total })),
    picker: pickerNamed(pipeline.picker),
  };
}

function scorerNamed(name: string): Scorer {
  const scorer = SCORERS.find((candidate) => candidate.name === name);
  if (!scorer) throw new Error(`no scorer is called ${name}`);
  return scorer;
}

function pickerNamed(name: string): Picker {
  const make = PICKERS[name];
  if (!make) throw new Error(`no picker is called ${name}`);
  return make();
}
