import type { Leases } from "../admission/leases.ts";
import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import {
  classify,
  type AttemptOutcome,
  type OutcomeClass,
  type Verdict,
} from "../failures/classify.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import { retryDelayMs, type RetryPolicy } from "../failures/retry.ts";
import type { Worker } from "../fleet/worker.ts";
import { decide, type Choice, type Question } from "../routing/decide.ts";
import { allocatedBytes } from "../routing/filters/memory.ts";
import { nobodyError } from "../routing/nobody.ts";
import type { Random } from "../routing/random.ts";
import type { RoutingView, Strategy } from "../routing/stages.ts";
import type { AnswerSink, RouteTags } from "./answer.ts";
import type { Attempt } from "./attempt.ts";
import { attemptsFailedError, deadlineError } from "./give-up.ts";
import { Judge } from "./judge.ts";
import { pause } from "./pause.ts";
import type { AttemptResult } from "./relay.ts";
import type { RoutedRequest } from "./routed-request.ts";

export interface RouteDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly strategy: Strategy;
  readonly retry: RetryPolicy;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  /** The fleet, leases and cooldowns as they are at this moment. */
  readonly view: () => RoutingView;
  readonly attempt: Attempt;
  /** Asks a silent worker whether it is alive. */
  readonly isAlive: (worker: Worker) => Promise<boolean>;
  /** Told what happens, in the tick in which it happens; must not throw. */
  readonly observer: RouteObserver;
}

export interface RouteObserver {
  onDecision(request: RoutedRequest, question: Question, choice: Choice): void;
  onAttemptEnd(request: RoutedRequest, record: AttemptRecord, outcome: OutcomeClass): void;
}

/** One try, as it is learnt from and as it is shown. */
export interface AttemptRecord {
  readonly worker: Worker;
  readonly outcome: AttemptOutcome;
  readonly result: AttemptResult;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Our requests in the worker while it ran, itself included: the mean of start and end. */
  readonly concurrency: number;
}

/** The one outcome of a request. */
export interface RouteEnd {
  /** The HTTP status that the client got; 499 where it had gone. */
  readonly status: number;
  readonly error: RouterError | null;
  readonly attempts: readonly AttemptRecord[];
}

export type RouteRequest = (request: RoutedRequest, sink: AnswerSink) => Promise<RouteEnd>;

const CLIENT_CLOSED_REQUEST = 499;

/** The story of a request: choose, lease, try, learn; again elsewhere if that may help. */
export function createRouteRequest(deps: RouteDeps): RouteRequest {
  return async (request, sink) => {
    const judge = new Judge(deps, request);
    try {
      return await makeTrip(deps, { request, sink, judge, attempts: [] });
    } finally {
      judge.requestEnded();
    }
  };
}

async function makeTrip(deps: RouteDeps, trip: Trip): Promise<RouteEnd> {
  const { request, attempts } = trip;
  let question = ask(deps, request, []);
  for (;;) {
    const choice = decide(question);
    deps.observer.onDecision(request, question, choice);
    const { worker } = choice;
    if (worker === null) return giveUp(deps, trip);
    const tags = { worker, attempts: attempts.length + 1, queueMs: 0 };
    const record = await tryOnce(deps, trip, tags);
    attempts.push(record);
    const verdict = classify(record.outcome);
    if (verdict.retry === "no") return deliver(trip, record, tags);
    const next = await nextQuestion(deps, trip, verdict);
    if (request.abandonment.reason) return gone(trip, tags);
    if (next === null) return giveUp(deps, trip);
    question = next;
  }
}

interface Trip {
  readonly request: RoutedRequest;
  readonly sink: AnswerSink;
  readonly judge: Judge;
  readonly attempts: AttemptRecord[];
}

/** The routing question of a request, as things stand at this moment. */
export function ask(
  deps: Pick<RouteDeps, "strategy" | "random" | "view">,
  request: RoutedRequest,
  tried: readonly number[],
): Question {
  const { strategy, random } = deps;
  const { model, path, type, band, memoryBytes, computeUnits } = request;
  const routing = { model, path, type, band, memoryBytes, computeUnits, tried };
  return { strategy, request: routing, view: deps.view(), random };
}

/** The slot is taken in the tick of the choice and given back in the tick of the answer. */
async function tryOnce(deps: RouteDeps, trip: Trip, tags: RouteTags): Promise<AttemptRecord> {
  const { clock, leases, cooldowns } = deps;
  const { request, sink } = trip;
  const { worker } = tags;
  const lease = leases.take(worker, {
    requestId: request.id,
    user: request.user,
    memoryBytes: allocatedBytes(worker, request),
  });
  deps.strategy.picker.picked?.(worker);
  const wasProbe = cooldowns.began(worker.index);
  const startedAtMs = clock.now();
  let concurrency = leases.own(worker.index);
  let result: AttemptResult;
  try {
    result = await deps.attempt({ worker, request, sink, tags });
    concurrency = (concurrency + leases.own(worker.index)) / 2;
  } catch (defect) {
    // It is ours, and says nothing about the worker; its probe must not stay open.
    cooldowns.ended(worker.index, { class: "neutral", failure: "", wasProbe });
    throw defect;
  } finally {
    lease.release();
  }
  const times = { startedAtMs, endedAtMs: clock.now(), concurrency };
  const record = { worker, outcome: result.outcome, result, ...times };
  trip.judge.attemptEnded({ record, wasProbe });
  return record;
}

/** Waits as the retry policy says, and again while nobody is free; null = no further attempt. */
async function nextQuestion(
  deps: RouteDeps,
  { request, attempts }: Trip,
  verdict: Verdict,
): Promise<Question | null> {
  const tried = attempts.map((attempt) => attempt.worker.index);
  const another = askIfAnyone(deps, request, tried);
  if (another === null && verdict.retry === "elsewhere") return null;
  const random = (): number => deps.random.next();
  const terms = { policy: deps.retry, verdict, anotherWorker: another !== null, random };
  for (let made = attempts.length; ; made++) {
    const delayMs = retryDelayMs({ ...terms, attempts: made });
    if (delayMs === 0 && deps.clock.now() < request.deadlineAtMs) return another;
    if (!(await pause(deps.clock, request, delayMs))) return null;
    const next = askIfAnyone(deps, request, tried) ?? askIfAnyone(deps, request, []);
    if (next) return next;
  }
}

/** null: nobody could take it now. */
function askIfAnyone(
  deps: RouteDeps,
  request: RoutedRequest,
  tried: readonly number[],
): Question | null {
  const question = ask(deps, request, tried);
  return decide(question).worker === null ? null : question;
}

/** The attempt's own end is the client's: its answer, its error, or nobody there to hear it. */
function deliver(trip: Trip, record: AttemptRecord, tags: RouteTags): RouteEnd {
  const { attempts, request, sink } = trip;
  const { outcome, result } = record;
  switch (outcome.kind) {
    case "answered":
      if (result.answer) sink.whole(result.answer, tags);
      return { status: outcome.status, error: null, attempts };
    case "timeout": {
      const error = deadlineError(request);
      if (!outcome.committed) sink.refuse(error, tags);
      return { status: outcome.committed ? COMMITTED_STATUS : error.status, error, attempts };
    }
    case "abandoned":
      return gone(trip, tags);
    case "unreachable":
    case "unusable":
    case "broken":
      return { status: COMMITTED_STATUS, error: failed(attempts), attempts };
  }
}

/** What the client got before the stream was cut. */
const COMMITTED_STATUS = 200;

/** Nobody waits for the answer, unless it is the router that goes. */
function gone({ attempts, request, sink }: Trip, tags: RouteTags): RouteEnd {
  if (request.abandonment.reason !== "shutdown") {
    return { status: CLIENT_CLOSED_REQUEST, error: null, attempts };
  }
  const error = new RouterError("SHUTTING_DOWN", "the router stopped while this was running");
  return { status: sink.fail(error, tags), error, attempts };
}

/** No further attempt: why there is none is told, or how the last one failed. */
function giveUp(deps: RouteDeps, { attempts, request, sink }: Trip): RouteEnd {
  const last = attempts.at(-1);
  const tags = last ? { worker: last.worker, attempts: attempts.length, queueMs: 0 } : null;
  const answer = last?.result.answer;
  if (tags && answer?.status === 404) {
    sink.whole(answer, tags);
    return { status: answer.status, error: null, attempts };
  }
  const anyone = ask(deps, request, []);
  const nobodyIsFree = attempts.length <= deps.retry.maxRetries && decide(anyone).worker === null;
  const error = last && !nobodyIsFree ? failed(attempts) : nobodyError(anyone);
  sink.refuse(error, tags);
  return { status: error.status, error, attempts };
}

function failed(attempts: readonly AttemptRecord[]): RouterError {
  const last = attempts.at(-1)!;
  const { outcome, worker, result } = last;
  const { answer } = result;
  return attemptsFailedError({ workerId: worker.id, outcome, answer, attempts: attempts.length });
}
