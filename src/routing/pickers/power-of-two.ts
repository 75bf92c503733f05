import { shuffleRank } from "../random.ts";
import type { Candidate, Picker } from "../stages.ts";

/** Two random candidates, the one with fewer requests. M. Mitzenmacher, 2001. */
export const powerOfTwo: Picker = {
  name: "power_of_two",
  pick({ candidates }, random) {
    const draw = random.nextUint32();
    const rank = (candidate: Candidate): number => shuffleRank(candidate.worker.index, draw);
    let a: Candidate | undefined;
    let b: Candidate | undefined;
    for (const candidate of candidates) {
      if (!a || rank(candidate) < rank(a)) [a, b] = [candidate, a];
      else if (!b || rank(candidate) < rank(b)) b = candidate;
    }
    return b && b.n < a!.n ? b : a!;
  },
};
