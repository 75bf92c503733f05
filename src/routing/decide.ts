import type { Worker } from "../fleet/worker.ts";
import { foreignLoad } from "./load.ts";
import type { Random } from "./random.ts";
import { clampScore } from "./scores.ts";
import { settle, type SettledWorker } from "./settled.ts";
import type { Candidate, Filter, Pool, RoutingRequest, RoutingView, Strategy } from "./stages.ts";

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
  const { workers, filters, scorers } = settle(strategy, request, view);
  const candidates: Candidate[] = [];
  const { start, stride } = walk(workers.length, random);
  for (let i = 0; i < workers.length && candidates.length < MAX_CANDIDATES; i++) {
    const settled = workers[(start + i * stride) % workers.length]!;
    if (passesAll(filters, settled.worker, { request, view })) {
      candidates.push(measure(settled, view));
    }
  }
  const pool = createPool(candidates, request, view);
  if (candidates.length === 0) return { worker: null, pool };
  for (const candidate of candidates) {
    for (const { scorer, weight } of scorers) {
      candidate.score += weight * clampScore(scorer.score(candidate, pool));
    }
  }
  return { worker: strategy.picker.pick(pool, random).worker, pool };
}

function passesAll(
  filters: readonly Filter[],
  worker: Worker,
  { request, view }: { readonly request: RoutingRequest; readonly view: RoutingView },
): boolean {
  for (const filter of filters) if (!filter.passes(worker, request, view)) return false;
  return true;
}

/** The score begins with what is settled; the scorers of the moment add theirs. */
function measure({ worker, speed, loadCost, score }: SettledWorker, view: RoutingView): Candidate {
  const n = view.leases.own(worker.index) + foreignLoad(worker, view);
  return { worker, n, speed, cost: (n + 1) / speed + loadCost, score };
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
