import type { Filter } from "../stages.ts";

/** Training goes only to workers that declare it, inference only to those that do not exclude it. */
export const servesType: Filter = {
  name: "serves_type",
  scope: "snapshot",
  passes: (worker, { type }) => worker.types.includes(type),
  reject: (worker, { type }) => ({
    reason: `takes ${worker.types.join(" and ")} only; add "${type}" to its types to allow it`,
    permanent: true,
  }),
};
