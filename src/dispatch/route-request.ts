import type { OpenList } from "../admission/open-list.ts";
import type { Reservation } from "../admission/quotas.ts";
import { RouterError } from "../errors.ts";
import {
  classify,
  type AttemptOutcome,
  type OutcomeClass,
  type Verdict,
} from "../failures/classify.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { Worker } from "../fleet/worker.ts";
import type { AnswerSink } from "./answer.ts";
import type { Attempt } from "./attempt.ts";
import { deliver, giveUp, gone, refuse, settle, type OpenAttempt, type Trip } from "./endings.ts";
import { Judge } from "./judge.ts";
import type { AttemptResult } from "./relay.ts";
import { deadlyError, waitToRetry, type RetryDeps } from "./retries.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { NoTurn, Turn, TurnObserver, Turns } from "./turns.ts";
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

/**
 * The story of a request: reserve, wait for a turn, try, learn; again elsewhere if that may help. In one
 * asynchronous function: each further one costs a request about as much as the choice of its worker.
 */
export function createRouteRequest(deps: RouteDeps): RouteRequest {
  return async (request, sink) => {
    const trip = setOut(deps, request, sink);
    try {
      const reserved = trip.reservation ?? deps.reserve(request);
      trip.reservation = reserved instanceof Promise ? await reserved : reserved;
      if (request.abandonment.reason) return gone(trip);
      deps.retryBudget.accepted();
      let end: RouteEnd | null = null;
      while (end === null) {
        const taken = deps.turns.take(request, workersTried(trip));
        const turn = taken instanceof Promise ? await waited(deps, trip, taken) : taken;
        if (turn.kind !== "turn") return withoutTurn(trip, turn);
        const { tags } = begin(deps, trip, turn);
        const result = await deps.attempt({ worker: turn.worker, request, sink, tags });
        const record = conclude(deps, trip, result);
        const verdict = classify(record.outcome);
        end =
          verdict.retry === "no" ? deliver(trip, record, tags) : await orRetry(deps, trip, verdict);
      }
      return end;
    } catch (error) {
      return refused(deps, trip, error);
    } finally {
      arrive(deps, trip);
    }
  };
}

function setOut(deps: RouteDeps, request: RoutedRequest, sink: AnswerSink): Trip {
  const trip: Trip = {
    request,
    sink,
    judge: new Judge(deps, request),
    reservation: request.reservation,
    attempts: [],
    open: null,
    deaths: null,
    queueMs: 0,
    listIndex: 0,
  };
  deps.running.add(trip);
  return trip;
}

function workersTried({ attempts }: Trip): readonly number[] {
  return attempts.length === 0 ? NONE : attempts.map(({ worker }) => worker.index);
}

const NONE: readonly number[] = [];

async function waited<T>({ clock }: RouteDeps, trip: Trip, turn: Promise<T>): Promise<T> {
  const sinceMs = clock.now();
  const taken = await turn;
  trip.queueMs += Math.round(clock.now() - sinceMs);
  return taken;
}

function withoutTurn(trip: Trip, turn: NoTurn): RouteEnd {
  return turn.kind === "gone" ? gone(trip) : giveUp(trip, turn.error);
}

function begin({ clock, turns }: RouteDeps, trip: Trip, turn: Turn): OpenAttempt {
  const { worker } = turn;
  const tags = { worker, attempts: trip.attempts.length + 1, queueMs: trip.queueMs };
  const open = { turn, tags, startedAtMs: clock.now(), runningAtStart: turns.runningOn(worker) };
  trip.open = open;
  return open;
}

/** The slot is given back in the tick of the answer. */
function conclude({ clock, turns }: RouteDeps, trip: Trip, result: AttemptResult): AttemptRecord {
  const { turn, startedAtMs, runningAtStart } = trip.open!;
  const { worker, wasProbe } = turn;
  const record = {
    worker,
    outcome: staleOnce(result.outcome, worker, trip.attempts),
    result,
    wasProbe,
    startedAtMs,
    endedAtMs: clock.now(),
    concurrency: (runningAtStart + turns.runningOn(worker)) / 2,
  };
  turn.release(chargedUsage(result, trip.request));
  trip.judge.attemptEnded({ record, wasProbe });
  trip.open = null;
  turns.slotFreed(worker);
  trip.attempts.push(record);
  return record;
}

/** null: it may be tried again. */
async function orRetry(deps: RouteDeps, trip: Trip, verdict: Verdict): Promise<RouteEnd | null> {
  const goesOn = await waitToRetry(deps, trip, verdict);
  if (trip.request.abandonment.reason) return gone(trip);
  return goesOn ? null : giveUp(trip, deadlyError(trip));
}

function refused({ turns }: RouteDeps, trip: Trip, error: unknown): RouteEnd {
  if (!(error instanceof RouterError)) throw error;
  // What can never be served is said first: no wait for the next window would help.
  return refuse(trip, turns.impossible(trip.request) ?? error);
}

function arrive(deps: RouteDeps, trip: Trip): void {
  deps.running.remove(trip);
  trip.judge.requestEnded();
  settle(trip);
  if (trip.open !== null) dropOpen(deps, trip.open);
}

/** A defect ended it: ours, it says nothing about the worker, whose probe must not stay open. */
function dropOpen({ cooldowns, turns }: RouteDeps, { turn }: OpenAttempt): void {
  const { worker, wasProbe } = turn;
  turn.release(null);
  cooldowns.ended(worker.index, { class: "neutral", failure: "", wasProbe });
  turns.slotFreed(worker);
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
