import type { Worker } from "../../../../src/fleet/worker.ts";
import type { Filter, Rejection, RoutingRequest } from "../../../../src/routing/stages.ts";
import {
  fleetOf,
  routingRequest,
  serving,
  viewOf,
  type Moment,
} from "../../../support/routing-builders.ts";

/** One worker, asked about at one moment. */
export interface Case {
  readonly worker?: Partial<Worker>;
  readonly request?: Partial<RoutingRequest>;
  readonly moment?: Moment;
}

/** null = the worker passes. */
export function verdict(filter: Filter, { worker, request, moment }: Case = {}): Rejection | null {
  const asked = [serving(0, worker), routingRequest(request), viewOf(fleetOf([]), moment)] as const;
  return filter.passes(...asked) ? null : filter.reject(...asked);
}

export const forNow = (reason: string): Rejection => ({ reason, permanent: false });
export const forEver = (reason: string): Rejection => ({ reason, permanent: true });
