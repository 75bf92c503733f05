import type { Cooldown } from "../../failures/cooldown-view.ts";
import type { Filter } from "../stages.ts";

/** Rejects workers that failed too often, until their cooldown ends and a probe succeeds. */
export const cooldown: Filter = {
  name: "cooldown",
  scope: "moment",
  passes: (worker, _request, view) => !view.cooldowns.blocks(worker.index),
  reject(worker, _request, view) {
    const { state, reason, untilMs } = view.cooldowns.describe(worker.index) ?? OVER;
    const leftS = Math.max(1, Math.ceil((untilMs - view.nowMs) / 1000));
    const now = {
      paused: `paused for ${leftS} s more`,
      cooling: `cooling down for ${leftS} s more`,
      probing: "waiting for its probe to answer",
      warming_up: "back just now",
    }[state];
    return { reason: `${now}: ${reason}`, permanent: false };
  },
};

/** It may have ended between the decision and this look at it. */
const OVER: Cooldown = { state: "warming_up", reason: "try again", untilMs: 0 };
