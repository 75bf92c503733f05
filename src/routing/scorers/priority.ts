import type { Scorer } from "../stages.ts";

/**
 * How well urgency and worker match: 1 - |urgency - speed ÷ fastest candidate's speed|, with urgency
 * 0 for band 1 to 1 for band 5. Urgent work draws the fast workers, patient work leaves them free. A
 * term that is equal for all candidates would be dead weight.
 */
export const priority: Scorer = {
  name: "priority",
  scope: "moment",
  score(candidate, pool) {
    const urgency = (pool.request.band - 1) / 4;
    return 1 - Math.abs(urgency - candidate.speed / pool.highestSpeed);
  },
};
