import type { Scorer } from "../stages.ts";

/** Speed relative to the fleet's median s, as s ÷ (s + 1): the median scores 0.5. */
export const performance: Scorer = {
  name: "performance",
  scope: "snapshot",
  score: ({ speed }) => speed / (speed + 1),
};
