import { gpuIdOf } from "../fleet/worker.ts";
import type { AttemptRecord, RouteEnd } from "./route-request.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** One line of what became of a request: for the log, the metrics and whoever bills. */
export interface RequestReport {
  readonly requestId: string;
  readonly user: string;
  /** Of the API, or PLACEMENT. */
  readonly path: string;
  readonly model: string;
  readonly band: number;
  readonly stream: boolean;
  /** 499: the client had gone. */
  readonly status: number;
  readonly errorCode: string | null;
  readonly workerId: string | null;
  readonly gpuId: string | null;
  readonly attempts: number;
  readonly queueMs: number;
  readonly firstByteMs: number | null;
  readonly totalMs: number;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

/** In the place of a path, where the caller talks to the worker itself. */
export const PLACEMENT = "placement";

export function reportOf(request: RoutedRequest, end: RouteEnd, nowMs: number): RequestReport {
  const last = lastTry(end.attempts.at(-1), request.acceptedAtMs);
  // Written out: an object made by spreading another costs several times as much.
  return {
    requestId: request.id,
    user: request.user,
    path: request.path ?? PLACEMENT,
    model: request.model,
    band: request.band,
    stream: request.stream,
    status: end.status,
    errorCode: end.error?.code ?? null,
    attempts: end.attempts.length,
    queueMs: end.queueMs,
    totalMs: tenths(nowMs - request.acceptedAtMs),
    workerId: last.workerId,
    gpuId: last.gpuId,
    firstByteMs: last.firstByteMs,
    promptTokens: last.promptTokens,
    completionTokens: last.completionTokens,
  };
}

function lastTry(last: AttemptRecord | undefined, acceptedAtMs: number) {
  if (!last) return NO_TRY;
  const { worker, result } = last;
  const { firstByteAtMs, usage } = result;
  return {
    workerId: worker.id,
    gpuId: gpuIdOf(worker),
    firstByteMs: firstByteAtMs === null ? null : tenths(firstByteAtMs - acceptedAtMs),
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
  };
}

const NO_TRY = {
  workerId: null,
  gpuId: null,
  firstByteMs: null,
  promptTokens: null,
  completionTokens: null,
};

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
