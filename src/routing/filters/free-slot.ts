import type { Filter } from "../stages.ts";

/** Rejects workers whose slots are all leased by this router; a worker that warms up has fewer. */
export const freeSlot: Filter = {
  name: "free_slot",
  scope: "moment",
  passes: ({ index, slots }, _request, view) =>
    view.leases.own(index) < view.cooldowns.slotLimit(index, slots),
  reject({ index, slots }, _request, view) {
    const own = view.leases.own(index);
    const limit = view.cooldowns.slotLimit(index, slots);
    const why = limit < slots ? `, ${limit} for now: it warms up after its cooldown` : "";
    return { reason: `all slots are taken (${own} of ${slots}${why})`, permanent: false };
  },
};
