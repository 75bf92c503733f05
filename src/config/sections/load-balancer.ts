import * as z from "zod";
import { known, mapping, number, table, text } from "../fields.ts";
import { normaliseWeights, someWeight } from "../weights.ts";

const ALL_ZERO = "every weight is 0; at least one must be above 0";

const weights = mapping({
  usage: number(0)
    .default(0.4)
    .describe("How much low live load counts. Raise it to spread requests more evenly."),
  priority: number(0)
    .default(0.3)
    .describe("How much it counts that urgent requests get the fast workers, and others do not."),
  performance: number(0)
    .default(0.2)
    .describe("How much a worker's measured speed counts, relative to the fleet."),
  health: number(0)
    .default(0.1)
    .describe("How much headroom in temperature, power and errors counts."),
})
  .refine(someWeight, { error: ALL_ZERO })
  .transform(normaliseWeights)
  .prefault({})
  .describe("Weights of the hybrid strategy. Only their proportions count.");

export const loadBalancer = mapping({
  strategy: text()
    .default("hybrid")
    .describe(
      "How a worker is chosen: a built-in strategy, or a pipeline named in strategies. " +
        "docs/routing.md compares them.",
    ),
  weights,
})
  .prefault({})
  .describe("How a worker is chosen.");

interface StageNames {
  readonly strategies: readonly string[];
  readonly filters: readonly string[];
  readonly scorers: readonly string[];
  readonly pickers: readonly string[];
}

export function strategies(names: StageNames) {
  return table(pipeline(names))
    .superRefine((pipelines, context) => checkStrategyNames(pipelines, names, context), {
      when: (payload) => isMapping(payload.value),
    })
    .default({})
    .describe("Your own strategies, by name: filters, weighted scorers and a picker.");
}

function pipeline(names: StageNames) {
  return mapping({
    filters: z
      .union([z.literal("all"), z.array(known(names.filters, "a filter"))], {
        error: "must be all or a list of filters",
      })
      .default("all")
      .transform((filters) => (filters === "all" ? [...names.filters] : filters))
      .describe(
        "Filters that a worker must pass, beside those that always apply. Name some to drop " +
          "others.",
      ),
    scorers: table(number(0))
      .superRefine((scorers, context) => checkScorerNames(scorers, names.scorers, context), {
        when: (payload) => isMapping(payload.value),
      })
      .refine((scorers) => Object.keys(scorers).length === 0 || someWeight(scorers), {
        error: ALL_ZERO,
      })
      .transform(normaliseWeights)
      .prefault({})
      .describe("Weight of each scorer. Only their proportions count."),
    picker: known(names.pickers, "a picker").describe(
      "How one worker is taken from the scored ones.",
    ),
  });
}

/** A strategy that is neither built in nor a pipeline; runs over both sections. */
export function checkChosenStrategy(config: unknown, names: StageNames, context: Context): void {
  if (!isMapping(config) || !isMapping(config["load_balancer"])) return;
  const chosen = config["load_balancer"]["strategy"];
  const own = isMapping(config["strategies"]) ? Object.keys(config["strategies"]) : [];
  const allowed = [...new Set([...names.strategies, ...own])];
  if (typeof chosen !== "string" || allowed.includes(chosen)) return;
  const message = `must be the name of a strategy: ${allowed.join(", ")}`;
  context.addIssue({ code: "custom", path: ["load_balancer", "strategy"], message });
}

type Context = Pick<z.RefinementCtx, "addIssue">;

function checkStrategyNames(pipelines: object, names: StageNames, context: Context): void {
  for (const name of Object.keys(pipelines)) {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: [name], message });
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) {
      refuse("a strategy's name must be lower-case letters, digits and _, at most 64");
    } else if (names.strategies.includes(name)) {
      refuse("this is the name of a built-in strategy; choose another");
    }
  }
}

function checkScorerNames(scorers: object, allowed: readonly string[], context: Context): void {
  for (const name of Object.keys(scorers)) {
    if (allowed.includes(name)) continue;
    const message = `unknown scorer; there are: ${allowed.join(", ")}`;
    context.addIssue({ code: "custom", path: [name], message });
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
