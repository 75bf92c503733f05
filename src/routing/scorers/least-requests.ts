import type { Scorer } from "../stages.ts";

/** Fewest requests in the worker, whatever its speed: 1 ÷ (1 + n). */
export const leastRequests: Scorer = {
  name: "least_requests",
  scope: "moment",
  score: ({ n }) => 1 / (1 + n),
};
