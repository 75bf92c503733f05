import type { Worker } from "../fleet/worker.ts";
import { eligibleInSnapshot, momentFilters } from "./eligible.ts";
import { foreignLoad, modelLoadCost } from "./load.ts";
import type { Random } from "./random.ts";
import type { Candidate, Pool, RoutingRequest, RoutingView, Strategy } from "./stages.ts";

/** Above this many, a decision scores a random sample, so that its cost has a bound. */
export const MAX_CANDIDATES = 64;

export interface Question {
  readonly strategy: Strategy;
  readonly request: RoutingRequest;
  readonly view: RoutingView;
  readonly random: Random;
}

/** Who was chosen, and among whom. */
export interface Choice {
  /** null = nobody passes all filters; explain.ts says why. */
  readonly worker: Worker | null;
  readonly pool: Pool;
}

/** Filters, then scorers, then the picker. Never throws for "nobody", never waits. */
export function decide({ strategy, request, view, random }: Question): Choice {
  const eligible = eligibleInSnapshot(strategy, request, view);
  const filters = momentFilters(strategy);
  const candidates: Candidate[] = [];
  const { start, stride } = walk(eligible.length, random);
  for (let i = 0; i < eligible.length && candidates.length < MAX_CANDIDATES; i++) {
    const worker = eligible[(start + i * stride) % eligible.length]!;
    if (filters.every((filter) => filter.passes(worker, request, view))) {
      candidates.push(measure(worker, request, view));
    }
  }
  const pool = createPool(candidates, request, view);
  if (candidates.length === 0) return { worker: null, pool };
  for (const candidate of candidates) candidate.score = weightedScore(strategy, candidate, pool);
  return { worker: strategy.picker.pick(pool, random).worker, pool };
}

/** Scores are clamped here, so that no scorer can shout down the others; NaN counts as 0. */
export function clampScore(score: number): number {
  return score > 0 ? Math.min(1, score) : 0;
}

function weightedScore(strategy: Strategy, candidate: Candidate, pool: Pool): number {
  let total = 0;
  for (const { scorer, weight } of strategy.scorers) {
    total += weight * clampScore(scorer.score(candidate, pool));
  }
  return total;
}

function measure(worker: Worker, request: RoutingRequest, view: RoutingView): Candidate {
  const n = view.leases.own(worker.index) + foreignLoad(worker, view);
  const speed = view.snapshot.speeds.of(worker.index, request.model);
  const cost = (n + 1) / speed + modelLoadCost(worker, request.model);
  return { worker, n, speed, cost, score: 0 };
}

function createPool(
  candidates: readonly Candidate[],
  request: RoutingRequest,
  view: RoutingView,
): Pool {
  let lowestCost = Infinity;
  let highestSpeed = 0;
  for (const { cost, speed } of candidates) {
    if (cost < lowestCost) lowestCost = cost;
    if (speed > highestSpeed) highestSpeed = speed;
  }
  return { candidates, request, view, lowestCost, highestSpeed };
}

/** Prime, and larger than any fleet: steps of such a stride meet every worker once. */
const STRIDES = [1_000_003, 1_000_033, 1_000_037, 1_000_039, 1_000_081, 1_000_099] as const;

/** Few workers are taken as they come; many from a random start in random strides. */
function walk(length: number, random: Random): { start: number; stride: number } {
  if (length <= MAX_CANDIDATES) return { start: 0, stride: 1 };
  const stride = STRIDES[random.nextUint32() % STRIDES.length] ?? STRIDES[0];
  return { start: random.nextUint32() % length, stride };
}
