import { RouterError } from "../errors.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Question } from "./decide.ts";
import { firstRejection } from "./explain.ts";
import { listHeat } from "./filters/temperature.ts";
import { settle } from "./settled.ts";
import type { Rejection, RoutingRequest, RoutingView } from "./stages.ts";

const WORKERS_NAMED = 5;
const HOT_WORKERS_NAMED = 100;
const MODELS_NAMED = 10;

/** The error for a request that nobody can take now: it names the workers, each with its reason. */
export function nobodyError(question: Question): RouterError {
  const { view, request } = question;
  const { workers } = view.snapshot;
  if (workers.length === 0) {
    const message = "no workers are known: list them under workers: in the config";
    return new RouterError("NO_GPU_AVAILABLE", message, { retryAfterMs: RETRY_AFTER_MS });
  }
  const rejections = workers.flatMap((worker) => {
    const rejection = firstRejection(question, worker);
    return rejection ? [{ worker, ...rejection }] : [];
  });
  const forNow = rejections.filter((rejection) => !rejection.permanent);
  if (forNow.length === 0 && rejections.length < workers.length) return justFreeError(request);
  if (forNow.length === 0) return neverError(question, rejections);
  const reasons = listReasons(forNow);
  if (forNow.some(({ filter }) => filter === "free_slot" || filter === "gpu_limit")) {
    const message = `every slot for ${request.model} is taken: ${reasons}`;
    return new RouterError("QUEUE_FULL", message, { retryAfterMs: SLOT_RETRY_AFTER_MS });
  }
  const message = forNow.every(({ filter }) => filter === "temperature")
    ? `every GPU for ${request.model} is too hot: ${hotWorkers(forNow, view)}`
    : `no worker can take ${request.model} now: ${reasons}`;
  return new RouterError("NO_GPU_AVAILABLE", message, { retryAfterMs: retryAfterMs(forNow, view) });
}

/** The 404 or 422 for a request that no waiting can help; null where some worker may take it one day. */
export function impossibleError(question: Question): RouterError | null {
  const { strategy, request, view } = question;
  const { workers, filters } = settle(strategy, request, view);
  const mayEver = workers.some(({ worker }) =>
    filters.every(
      (filter) =>
        filter.passes(worker, request, view) || !filter.reject(worker, request, view).permanent,
    ),
  );
  if (mayEver) return null;
  const all = view.snapshot.workers;
  const rejections = all.flatMap((worker) => permanentRejection(question, worker) ?? []);
  return all.length > 0 && rejections.length === all.length
    ? neverError(question, rejections)
    : null;
}

/** At the end of a wait: 504 where workers were usable and full all along, else 503 with the reasons. */
export function expiredError(question: Question, waitedMs: number): RouterError {
  const error = nobodyError(question);
  if (error.code !== "QUEUE_FULL") return error;
  const seconds = Math.round(waitedMs / 100) / 10;
  return new RouterError(
    "DEADLINE_EXCEEDED",
    `no slot became free within ${seconds} s: ${error.message}`,
    { retryAfterMs: SLOT_RETRY_AFTER_MS },
  );
}

type WorkerRejection = Rejection & { readonly filter: string; readonly worker: Worker };

/** What is in the way for now may come before it. */
function permanentRejection(
  { strategy, request, view }: Question,
  worker: Worker,
): WorkerRejection | null {
  for (const filter of strategy.filters) {
    if (filter.passes(worker, request, view)) continue;
    const rejection = filter.reject(worker, request, view);
    if (rejection.permanent) return { ...rejection, filter: filter.name, worker };
  }
  return null;
}

/** A cooldown may end between the decision and this look at it. */
function justFreeError({ model }: RoutingRequest): RouterError {
  const message = `a worker for ${model} has become free just now: try again`;
  return new RouterError("NO_GPU_AVAILABLE", message, { retryAfterMs: SLOT_RETRY_AFTER_MS });
}

function neverError({ view, request }: Question, rejections: WorkerRejection[]): RouterError {
  const unserved = rejections.every((rejection) => rejection.filter === "serves_model");
  if (!unserved) {
    const others = rejections.filter((rejection) => rejection.filter !== "serves_model");
    const message = `no worker can ever run this: ${listReasons(others)}`;
    return new RouterError("NO_GPU_FITS", message);
  }
  const models = [...view.snapshot.workersByModel.keys()].toSorted();
  const more = models.length > MODELS_NAMED ? ` and ${models.length - MODELS_NAMED} more` : "";
  const served = models.slice(0, MODELS_NAMED).join(", ") || "none";
  const message = `no worker serves the model ${request.model}; served: ${served}${more}`;
  return new RouterError("MODEL_NOT_FOUND", message, { param: "model" });
}

/** Each of them, up to a bound: whoever reads it looks for the room that is hot, or the wrong limit. */
function hotWorkers(rejections: readonly WorkerRejection[], view: RoutingView): string {
  const workers = rejections.map(({ worker }) => worker);
  const more = workers.length - HOT_WORKERS_NAMED;
  const rest = more > 0 ? `; and ${more} more workers` : "";
  return listHeat(workers.slice(0, HOT_WORKERS_NAMED), view) + rest;
}

function listReasons(rejections: readonly WorkerRejection[]): string {
  const named = rejections.slice(0, WORKERS_NAMED).map((r) => `${r.worker.id}: ${r.reason}`);
  const more = rejections.length - named.length;
  return named.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

const SLOT_RETRY_AFTER_MS = 1000;
const RETRY_AFTER_MS = 5000;

/** Until the first of them may be usable: cooldowns say when they end, the others are asked again. */
function retryAfterMs(rejections: readonly WorkerRejection[], view: RoutingView): number {
  const waits = rejections.map(({ filter, worker }) => {
    if (filter !== "cooldown") return RETRY_AFTER_MS;
    return (view.cooldowns.describe(worker.index)?.untilMs ?? 0) - view.nowMs;
  });
  return Math.max(SLOT_RETRY_AFTER_MS, Math.min(...waits));
}
