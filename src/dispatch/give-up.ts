import { RouterError } from "../errors.ts";
import type { AttemptOutcome } from "../failures/classify.ts";
import type { Answer } from "./answer.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** The last try of a request that is given up. */
export interface LastTry {
  readonly workerId: string;
  readonly outcome: AttemptOutcome;
  readonly answer: Answer | null;
  readonly attempts: number;
}

/** What the client is told when every attempt failed. */
export function attemptsFailedError(last: LastTry): RouterError {
  const { answer, workerId } = last;
  if (answer !== null && isBusy(answer.status)) {
    const message = `every worker is busy: ${workerId} answered ${answer.status}`;
    return new RouterError("NO_GPU_AVAILABLE", message, {
      retryAfterMs: answer.retryAfterMs ?? BUSY_RETRY_AFTER_MS,
    });
  }
  const tries = last.attempts === 1 ? "the attempt" : `${last.attempts} attempts`;
  const message = `${tries} failed; ${workerId}: ${failureOf(last.outcome)}`;
  return new RouterError("WORKER_FAILED", message);
}

/** In words, for the client, the log and the cooldown's reason; empty where nothing failed. */
export function failureOf(outcome: AttemptOutcome): string {
  switch (outcome.kind) {
    case "answered":
      return answeredFailure(outcome.status);
    case "unreachable":
    case "unusable":
    case "broken":
      return outcome.failure;
    case "timeout":
      return "it sent nothing before the deadline";
    case "released":
      return RELEASE_FAILURES[outcome.how];
    case "abandoned":
      return "";
  }
}

export function deadlineError(request: RoutedRequest): RouterError {
  const isJob = request.timeoutMs !== null;
  const cure = isJob ? "send a longer timeout" : "stream, send x-timeout-ms";
  const message =
    `still generating after ${secondsToRun(request)} s: ${cure}, ` +
    `or raise request_router.request_timeout`;
  return new RouterError("DEADLINE_EXCEEDED", message);
}

/** What is told of a placement that did not end well; null where it did. */
export function placementError(how: ReleaseHow, request: RoutedRequest): RouterError | null {
  if (how === "ok") return null;
  if (how === "failed") return new RouterError("WORKER_FAILED", RELEASE_FAILURES.failed);
  const message =
    `${RELEASE_FAILURES.overdue} of ${secondsToRun(request)} s: ` +
    `POST /api/v1/requests/{request_id}/complete earlier, or send a longer timeout`;
  return new RouterError("DEADLINE_EXCEEDED", message);
}

export type ReleaseHow = Extract<AttemptOutcome, { readonly kind: "released" }>["how"];

const RELEASE_FAILURES: Readonly<Record<ReleaseHow, string>> = {
  ok: "",
  failed: "its caller completed it with ok: false",
  overdue: "its caller did not complete it within its timeout",
};

function secondsToRun({ timeoutMs, deadlineAtMs, acceptedAtMs }: RoutedRequest): number {
  // The clock has fractions, and half a tenth of a second must not hang on their rounding.
  const toRunMs = Math.round(timeoutMs ?? deadlineAtMs - acceptedAtMs);
  return Math.round(toRunMs / 100) / 10;
}

/** Of a worker that says it is too busy, and not for how long. */
export const BUSY_RETRY_AFTER_MS = 1000;

function isBusy(status: number): boolean {
  return status === 408 || status === 429 || status === 503;
}

function answeredFailure(status: number): string {
  if (status < 300) return "";
  if (status === 401 || status === 403) {
    return `worker refused our key (${status}): check its api_key_env`;
  }
  return `answered ${status}`;
}
