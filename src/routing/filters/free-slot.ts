import type { Filter } from "../stages.ts";

/** Rejects workers whose slots are all leased by this router. */
export const freeSlot: Filter = {
  name: "free_slot",
  scope: "moment",
  passes: (worker, _request, view) => view.leases.own(worker.index) < worker.slots,
  reject: (worker, _request, view) => ({
    reason: `all slots are taken (${view.leases.own(worker.index)} of ${worker.slots})`,
    permanent: false,
  }),
};
