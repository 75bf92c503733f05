import type { OpenList } from "../admission/open-list.ts";
import type { Reservation } from "../admission/quotas.ts";
import { RouterError } from "../errors.ts";
import { classify, type AttemptOutcome, type OutcomeClass } from "../failures/classify.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { Worker } from "../fleet/worker.ts";
import type { AnswerSink, RouteTags } from "./answer.ts";
import type { Attempt } from "./attempt.ts";
import { deliver, giveUp, gone, refuse, settle, type Trip } from "./endings.ts";
import { Judge } from "./judge.ts";
import type { AttemptResult } from "./relay.ts";
import { deadlyError, waitToRetry, type RetryDeps } from "./retries.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { Turn, TurnObserver, Turns } from "./turns.ts";
import type { TokenUsage } from "./usage.ts";

export interface RouteDeps extends RetryDeps {
  readonly turns: Turns;
  /** All that are under way. */
  readonly running: OpenList<Trip>;
  readonly cooldowns: Cooldowns;
  /** Charges the user's limits. Throws or rejects with what the client is told. */
  readonly reserve: (request: RoutedRequest) => Reservation | Promise<Reservation>;
  readonly attempt: Attempt;
  /** Told what happens, in the tick in which it happens; must not throw. */
  readonly observer: RouteObserver;
}

export interface RouteObserver extends TurnObserver {
  onAttemptEnd(request: RoutedRequest, record: AttemptRecord, outcome: OutcomeClass): void;
}

/** One try, as it is learnt from and as it is shown. */
export interface AttemptRecord {
  readonly worker: Worker;
  readonly outcome: AttemptOutcome;
  readonly result: AttemptResult;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** It was to show whether the worker is back from its cooldown. */
  readonly wasProbe: boolean;
  /** Our requests in the worker while it ran, itself included: the mean of start and end. */
  readonly concurrency: number;
}

/** The one outcome of a request. */
export interface RouteEnd {
  /** The HTTP status that the client got; 499 where it had gone. */
  readonly status: number;
  readonly error: RouterError | null;
  readonly attempts: readonly AttemptRecord[];
  /** In the queue, before all attempts together. */
  readonly queueMs: number;
}

export type RouteRequest = (request: RoutedRequest, sink: AnswerSink) => Promise<RouteEnd>;

/** The story of a request: reserve, wait for a turn, try, learn; again elsewhere if that may help. */
export function createRouteRequest(deps: RouteDeps): RouteRequest {
  return async (request, sink) => {
    const judge = new Judge(deps, request);
    const { reservation } = request;
    const trip: Trip = {
      request,
      sink,
      judge,
      reservation,
      attempts: [],
      deaths: null,
      queueMs: 0,
      listIndex: 0,
    };
    deps.running.add(trip);
    try {
      const reserved = reservation ?? deps.reserve(request);
      trip.reservation = reserved instanceof Promise ? await reserved : reserved;
      if (request.abandonment.reason) return gone(trip);
      deps.retryBudget.accepted();
      return await makeTrip(deps, trip);
    } catch (error) {
      if (!(error instanceof RouterError)) throw error;
      // What can never be served is said first: no wait for the next window would help.
      return refuse(trip, deps.turns.impossible(request) ?? error);
    } finally {
      deps.running.remove(trip);
      judge.requestEnded();
      settle(trip);
    }
  };
}

async function makeTrip(deps: RouteDeps, trip: Trip): Promise<RouteEnd> {
  const { request, attempts } = trip;
  for (;;) {
    const tried = attempts.map(({ worker }) => worker.index);
    const taken = deps.turns.take(request, tried);
    const turn = taken instanceof Promise ? await waited(deps, trip, taken) : taken;
    if (turn.kind === "gone") return gone(trip);
    if (turn.kind === "refused") return giveUp(trip, turn.error);
    const tags = { worker: turn.worker, attempts: attempts.length + 1, queueMs: trip.queueMs };
    const record = await tryOnce(deps, trip, { turn, tags });
    attempts.push(record);
    const verdict = classify(record.outcome);
    if (verdict.retry === "no") return deliver(trip, record, tags);
    const goesOn = await waitToRetry(deps, trip, verdict);
    if (request.abandonment.reason) return gone(trip);
    if (!goesOn) return giveUp(trip, deadlyError(trip));
  }
}

async function waited<T>({ clock }: RouteDeps, trip: Trip, turn: Promise<T>): Promise<T> {
  const sinceMs = clock.now();
  const taken = await turn;
  trip.queueMs += Math.round(clock.now() - sinceMs);
  return taken;
}

/** The slot is given back in the tick of the answer. */
async function tryOnce(
  deps: RouteDeps,
  { request, sink, judge, attempts }: Trip,
  { turn, tags }: { readonly turn: Turn; readonly tags: RouteTags },
): Promise<AttemptRecord> {
  const { clock, cooldowns, turns } = deps;
  const { worker, wasProbe } = turn;
  const startedAtMs = clock.now();
  const runningAtStart = turns.runningOn(worker);
  let usage: TokenUsage | null = null;
  try {
    const result = await deps.attempt({ worker, request, sink, tags });
    const outcome = staleOnce(result.outcome, worker, attempts);
    usage = chargedUsage(result, request);
    const concurrency = (runningAtStart + turns.runningOn(worker)) / 2;
    const endedAtMs = clock.now();
    const record = { worker, outcome, result, wasProbe, startedAtMs, endedAtMs, concurrency };
    turn.release(usage);
    judge.attemptEnded({ record, wasProbe });
    return record;
  } catch (defect) {
    // It is ours, and says nothing about the worker; its probe must not stay open.
    cooldowns.ended(worker.index, { class: "neutral", failure: "", wasProbe });
    throw defect;
  } finally {
    turn.release(usage);
    turns.slotFreed(worker);
  }
}

/** A stale connection is bad luck once; the second in a row is how this worker answers. */
function staleOnce(
  outcome: AttemptOutcome,
  worker: Worker,
  before: readonly AttemptRecord[],
): AttemptOutcome {
  if (outcome.kind !== "broken" || !outcome.stale) return outcome;
  const last = before.at(-1);
  const again = last?.worker.index === worker.index && last.outcome.kind === "broken";
  return { ...outcome, stale: !(again && last.outcome.stale) };
}

/**
 * What no worker saw cost nothing. Of what failed or was cut short nobody knows the cost, and free it must
 * not be: a user whose requests always fail would be the least served for ever. Nor is a placement's
 * known: its caller's word must not move what everybody's turn is reckoned by.
 */
function chargedUsage(
  { outcome, usage }: AttemptResult,
  { isPlacement }: RoutedRequest,
): TokenUsage | null {
  if (outcome.kind === "unreachable") return { promptTokens: 0, completionTokens: 0 };
  const isFailure = outcome.kind === "unusable" || outcome.kind === "broken";
  return isPlacement || isFailure ? null : usage;
}
