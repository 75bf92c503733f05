import type { Listed } from "../admission/open-list.ts";
import type { Reservation } from "../admission/quotas.ts";
import type { RouterError } from "../errors.ts";
import type { AnswerSink, RouteTags } from "./answer.ts";
import { attemptsFailedError, deadlineError, placementError, type ReleaseHow } from "./give-up.ts";
import type { Judge } from "./judge.ts";
import type { AttemptRecord, RouteEnd } from "./route-request.ts";
import type { RoutedRequest } from "./routed-request.ts";
import { stoppedError } from "./stopped.ts";
import type { Turn } from "./turns.ts";

/** A request under way, with what became of it so far. */
export interface Trip extends Listed {
  readonly request: RoutedRequest;
  readonly sink: AnswerSink;
  readonly judge: Judge;
  readonly attempts: AttemptRecord[];
  /** The attempt under way; null = none is. */
  open: OpenAttempt | null;
  /** Workers, by index, that were dead right after an attempt of this; null = none. */
  deaths: Set<number> | null;
  /** null = not taken yet, or ended. */
  reservation: Reservation | null;
  /** In the queue, before all attempts together. */
  queueMs: number;
}

/** One attempt from its turn to its outcome. */
export interface OpenAttempt {
  readonly turn: Turn;
  readonly tags: RouteTags;
  readonly startedAtMs: number;
  /** Our requests in the worker as it began, itself included. */
  readonly runningAtStart: number;
}

const CLIENT_CLOSED_REQUEST = 499;
/** What the client got before the stream was cut. */
const COMMITTED_STATUS = 200;

/** The last attempt's own end is the client's: its answer, its error, or nobody there to hear it. */
export function deliver(trip: Trip, record: AttemptRecord, tags: RouteTags): RouteEnd {
  settle(trip);
  const { request, sink } = trip;
  const { outcome, result } = record;
  switch (outcome.kind) {
    case "answered":
      if (result.answer) sink.whole(result.answer, tags);
      return endOf(trip, outcome.status, null);
    case "timeout": {
      const error = deadlineError(request);
      if (outcome.committed) return endOf(trip, COMMITTED_STATUS, error);
      return refuse(trip, error);
    }
    case "released":
      return released(trip, outcome.how);
    case "abandoned":
      return gone(trip);
    case "unusable":
      return refuse(trip, failedError(trip));
    case "unreachable":
    case "broken":
      return endOf(trip, COMMITTED_STATUS, failedError(trip));
  }
}

/** Nobody waits for the answer, unless it is the router that goes. */
export function gone(trip: Trip): RouteEnd {
  settle(trip);
  const { request, sink } = trip;
  if (request.abandonment.reason !== "shutdown") return endOf(trip, CLIENT_CLOSED_REQUEST, null);
  const error = stoppedError(trip.attempts.some(wasSent) ? "sent" : "unsent");
  return endOf(trip, sink.fail(error, lastTags(trip)), error);
}

/** No further attempt: what the last one brought, or why there is none. */
export function giveUp(trip: Trip, why: RouterError | null): RouteEnd {
  settle(trip);
  const answer = trip.attempts.at(-1)?.result.answer;
  const tags = lastTags(trip);
  if (tags && answer?.status === 404) {
    trip.sink.whole(answer, tags);
    return endOf(trip, answer.status, null);
  }
  return refuse(trip, why ?? failedError(trip));
}

export function refuse(trip: Trip, error: RouterError): RouteEnd {
  settle(trip);
  trip.sink.refuse(error, lastTags(trip));
  return endOf(trip, error.status, error);
}

/** Before the client is told anything, since every answer tells what its user has left. Twice is once. */
export function settle(trip: Trip): void {
  const { reservation } = trip;
  trip.reservation = null;
  reservation?.end({ sent: trip.attempts.some(wasSent), tokens: tokensOf(trip) });
}

function wasSent({ result }: AttemptRecord): boolean {
  return result.sent;
}

/** As the worker of the last attempt reported them; null = it did not. */
function tokensOf({ attempts }: Trip): number | null {
  const usage = attempts.at(-1)?.result.usage;
  if (!usage || (usage.promptTokens === null && usage.completionTokens === null)) return null;
  return (usage.promptTokens ?? 0) + (usage.completionTokens ?? 0);
}

/** A placement has no answer: only that it is over, and whether it went well. */
function released(trip: Trip, how: ReleaseHow): RouteEnd {
  const error = placementError(how, trip.request);
  return error === null ? endOf(trip, 200, null) : refuse(trip, error);
}

function endOf({ attempts, queueMs }: Trip, status: number, error: RouterError | null): RouteEnd {
  return { status, error, attempts, queueMs };
}

function lastTags({ attempts, queueMs }: Trip): RouteTags | null {
  const last = attempts.at(-1);
  return last ? { worker: last.worker, attempts: attempts.length, queueMs } : null;
}

function failedError({ attempts }: Trip): RouterError {
  const { outcome, worker, result } = attempts.at(-1)!;
  const { answer } = result;
  return attemptsFailedError({ workerId: worker.id, outcome, answer, attempts: attempts.length });
}
