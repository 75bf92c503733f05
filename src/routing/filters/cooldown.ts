import type { Filter } from "../stages.ts";

/** Rejects workers that failed too often, until their cooldown ends and a probe succeeds. */
export const cooldown: Filter = {
  name: "cooldown",
  scope: "moment",
  passes: (worker, _request, view) => !view.cooldowns.blocks(worker.index),
  reject(worker, _request, view) {
    const state = view.cooldowns.describe(worker.index);
    const leftS = Math.ceil(((state?.untilMs ?? 0) - view.nowMs) / 1000);
    const until =
      leftS > 0 ? `cooling down for ${leftS} s more` : "waiting for its probe to answer";
    return { reason: `${until}: ${state?.reason ?? "it failed"}`, permanent: false };
  },
};
