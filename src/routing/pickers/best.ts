import { shuffleRank } from "../random.ts";
import type { Candidate, Picker } from "../stages.ts";

/**
 * Scores this near to the best count as equal: measured speeds are not more exact than that. In
 * simulation 0 loses 3 % of p99 slowdown, and 0.1 gives a quarter of band 5's advantage away.
 */
const NEAR_TIE = 0.05;

/** The best score; near-ties go to the lowest cost, then to a random one. */
export const best: Picker = {
  name: "best",
  pick({ candidates }, random) {
    let highest = -Infinity;
    for (const { score } of candidates) if (score > highest) highest = score;
    const draw = random.nextUint32();
    let chosen: Candidate | undefined;
    for (const candidate of candidates) {
      if (candidate.score < highest - NEAR_TIE) continue;
      if (!chosen || isBetter(candidate, chosen, draw)) chosen = candidate;
    }
    return chosen!;
  },
};

function isBetter(a: Candidate, b: Candidate, draw: number): boolean {
  if (a.cost !== b.cost) return a.cost < b.cost;
  return shuffleRank(a.worker.index, draw) < shuffleRank(b.worker.index, draw);
}
