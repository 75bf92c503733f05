import type { Filter } from "../stages.ts";

/** Rejects workers that an operator took out of service. Who did it is for operators to know. */
export const cordoned: Filter = {
  name: "cordoned",
  scope: "snapshot",
  passes: (worker) => worker.cordon === null,
  reject({ id, cordon }) {
    const { id: cordonedId, reason, sinceWallMs } = cordon!;
    const what = cordonedId === id ? "cordoned" : `GPU ${cordonedId} is cordoned`;
    const why = reason === null ? "" : `: ${reason}`;
    const since = new Date(sinceWallMs).toISOString();
    return { reason: `${what} since ${since}${why}`, permanent: false };
  },
};
