import type { Scorer } from "../stages.ts";

/**
 * Live load: the lowest cost among the candidates ÷ this one's cost. Not the polled utilization:
 * that is seconds old and says 100 % for one request as for fifty, so everyone would follow it to
 * the same worker until the next poll.
 */
export const usage: Scorer = {
  name: "usage",
  scope: "moment",
  score: (candidate, pool) => pool.lowestCost / candidate.cost,
};
