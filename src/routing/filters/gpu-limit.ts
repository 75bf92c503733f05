import type { Filter, RoutingRequest, RoutingView } from "../stages.ts";

/**
 * Rejects workers that would take the user above their gpu_limit. A worker counts as one whatever GPUs
 * it spans; at the limit, what the user already occupies may still be shared.
 */
export const gpuLimit: Filter = {
  name: "gpu_limit",
  scope: "moment",
  passes: (worker, { user, atGpuLimit }, { leases }) =>
    !atGpuLimit || leases.holds(user, worker.placement),
  reject: (_worker, request, view) =>
    request.gpuLimit === 0
      ? { reason: `${request.user} may use 0 GPUs (gpu_limit)`, permanent: true }
      : { reason: reasonFor(request, view), permanent: false },
};

/** By the request of one decision: its reason is the same for every worker, and looks at all leases. */
const reasons = new WeakMap<RoutingRequest, string>();

function reasonFor(request: RoutingRequest, view: RoutingView): string {
  let reason = reasons.get(request);
  if (reason === undefined) reasons.set(request, (reason = holdsAlready(request, view)));
  return reason;
}

function holdsAlready({ user, gpuLimit: limit }: RoutingRequest, view: RoutingView): string {
  const indices = view.leases.workersOf(user);
  const workers = view.snapshot.workers.filter(({ index }) => indices.has(index));
  const held = view.leases.placementCount(user);
  return `${user} holds ${held} of ${limit} (gpu_limit): ${workers.map(({ id }) => id).join(", ")}`;
}
