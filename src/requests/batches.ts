import type { Reservation } from "../admission/quotas.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import { RouterError } from "../errors.ts";
import type { BatchEnd, JobEnd } from "./callback-message.ts";
import type { Job } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { JobStore } from "./store.ts";

export interface BatchDeps {
  readonly jobs: Jobs;
  readonly store: JobStore;
  /** Why no worker could ever take it (404 or 422); null = some worker could, now or later. */
  readonly permanentRefusal: (request: RoutedRequest) => RouterError | null;
  /** Throws QUEUE_FULL where so many more requests of the user's would not fit. */
  readonly checkRoom: (user: string, requests: number, bytes: number) => void;
  /** Takes the units of so many requests of the user's quota, or none. Throws QUOTA_EXCEEDED. */
  readonly reserve: (
    user: string,
    requests: number,
  ) => readonly Reservation[] | Promise<readonly Reservation[]>;
}

export interface BatchItem {
  readonly request: RoutedRequest;
  readonly expectedDurationMs: number | null;
}

/**
 * Starts all jobs of a batch, or none: whatever can be refused is looked at before the first one
 * starts. What happens to one of them afterwards is its own affair. `items`: at least one, all of
 * one user.
 */
export function submitBatch(deps: BatchDeps, items: readonly BatchItem[]): Job[] {
  const requests = items.map(({ request }) => request);
  const { user } = requests[0]!;
  checkIds(requests, deps.store);
  checkRoutes(requests, deps.permanentRefusal);
  const bytes = requests.reduce((sum, { body }) => sum + body.length, 0);
  deps.checkRoom(user, requests.length, bytes);
  const reservations = deps.reserve(user, requests.length);
  // Once the units are taken nothing may come in between: an id could be taken, the queue be filled.
  if (reservations instanceof Promise) throw new Error("batches need quotas that answer at once");
  return items.map(({ request, expectedDurationMs }, index) => {
    const admitted = { ...request, reservation: reservations[index] ?? null };
    return deps.jobs.submitAdmitted(admitted, expectedDurationMs);
  });
}

/** Calls once with how the jobs ended, when the last of them has. */
export function onBatchEnd(
  jobs: readonly Job[],
  call: (end: Pick<BatchEnd, "counts" | "finishedAtWallMs">) => void,
): void {
  const counts = { completed: 0, failed: 0, cancelled: 0 };
  let open = jobs.length;
  for (const job of jobs) {
    job.onEnd(({ state, finishedAtWallMs }) => {
      counts[state as JobEnd["status"]] += 1;
      open -= 1;
      if (open === 0) call({ counts, finishedAtWallMs: finishedAtWallMs ?? 0 });
    });
  }
}

/** The same error, naming the item of the batch that it is about. */
export function inItem(index: number, cause: RouterError): RouterError {
  const item = `requests[${index}]`;
  const { code, message, param, retryAfterMs } = cause;
  return new RouterError(code, `${item}: ${message}`, {
    param: param === null ? item : `${item}.${param}`,
    ...(retryAfterMs !== null && { retryAfterMs }),
    cause,
  });
}

function checkIds(requests: readonly RoutedRequest[], store: JobStore): void {
  const seen = new Set<string>();
  for (const [index, { user, id }] of requests.entries()) {
    const isTwin = seen.has(id);
    if (isTwin || store.find(user, id) !== null) {
      const message = isTwin
        ? `the request_id ${id} is in this batch twice`
        : `you already have a job with the request_id ${id}`;
      const taken = new RouterError("REQUEST_ID_TAKEN", message, { param: "request_id" });
      throw inItem(index, taken);
    }
    seen.add(id);
  }
}

/** Many items of a batch are alike, and one look at every worker answers for all of those. */
function checkRoutes(
  requests: readonly RoutedRequest[],
  permanentRefusal: BatchDeps["permanentRefusal"],
): void {
  const seen = new Set<string>();
  for (const [index, request] of requests.entries()) {
    const { model, path, type, memoryBytes, computeUnits } = request;
    const alike = JSON.stringify([model, path, type, memoryBytes, computeUnits]);
    if (seen.has(alike)) continue;
    seen.add(alike);
    const refusal = permanentRefusal(request);
    if (refusal) throw inItem(index, refusal);
  }
}
