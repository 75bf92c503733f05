import type { Filter } from "../stages.ts";

/** A retry goes to another worker first; the router asks again without the list when none is left. */
export const untried: Filter = {
  name: "untried",
  scope: "moment",
  passes: (worker, { tried }) => tried.length === 0 || !tried.includes(worker.index),
  reject: () => ({ reason: "was tried by an earlier attempt of this request", permanent: false }),
};
