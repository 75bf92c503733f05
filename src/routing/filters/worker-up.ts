import type { Filter } from "../stages.ts";

/** Rejects workers that have not answered yet, or refused the last connection of a health check. */
export const workerUp: Filter = {
  name: "worker_up",
  scope: "snapshot",
  passes: (worker) => worker.state === "up",
  reject: (worker) => ({
    reason: `${worker.state}: ${worker.stateReason ?? "it has not answered yet"}`,
    permanent: false,
  }),
};
