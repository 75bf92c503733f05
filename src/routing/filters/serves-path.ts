import type { Filter } from "../stages.ts";

/** Rejects workers whose engine does not know the path, e.g. /v1/rerank. */
export const servesPath: Filter = {
  name: "serves_path",
  scope: "snapshot",
  passes: (worker, { path }) => path === null || worker.paths.has(path),
  reject: (worker, { path }) => ({
    reason: `its engine ${worker.engine} does not serve ${String(path)}`,
    permanent: true,
  }),
};
