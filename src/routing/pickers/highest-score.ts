import { shuffleRank } from "../random.ts";
import type { Candidate, Picker } from "../stages.ts";

/** The highest score and nothing else; exact ties are broken at random. */
export const highestScore: Picker = {
  name: "highest_score",
  pick({ candidates }, random) {
    const draw = random.nextUint32();
    let chosen: Candidate | undefined;
    for (const candidate of candidates) {
      if (!chosen || isBetter(candidate, chosen, draw)) chosen = candidate;
    }
    return chosen!;
  },
};

function isBetter(a: Candidate, b: Candidate, draw: number): boolean {
  if (a.score !== b.score) return a.score > b.score;
  return shuffleRank(a.worker.index, draw) < shuffleRank(b.worker.index, draw);
}
