import type { Leases } from "../admission/leases.ts";
import { sleep, type Clock } from "../clock.ts";
import type { RouterError } from "../errors.ts";
import { classify, type AttemptOutcome, type Verdict } from "../failures/classify.ts";
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
import { attemptsFailedError, deadlineError, failureOf } from "./give-up.ts";
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
  onAttemptEnd(request: RoutedRequest, record: AttemptRecord): void;
}

/** One try, as it is learnt from and as it is shown. */
export interface AttemptRecord {
  readonly worker: Worker;
  readonly outcome: AttemptOutcome;
  readonly class: Verdict["class"];
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
    const attempts: AttemptRecord[] = [];
    let question = ask(deps, request, []);
    for (;;) {
      const choice = decide(question);
      deps.observer.onDecision(request, question, choice);
      const { worker } = choice;
      if (worker === null) return giveUp({ request, sink, attempts }, question);
      const tags = { worker, attempts: attempts.length + 1, queueMs: 0 };
      const record = await tryOnce(deps, request, { sink, tags });
      attempts.push(record);
      const verdict = classify(record.outcome);
      if (verdict.retry === "no") return deliver({ request, sink, attempts }, record, tags);
      const next = await nextQuestion(deps, request, { attempts, verdict });
      if (request.abandonment.reason) return gone(attempts);
      if (next === null) return giveUp({ request, sink, attempts }, question);
      question = next;
    }
  };
}

interface Trip {
  readonly request: RoutedRequest;
  readonly sink: AnswerSink;
  readonly attempts: readonly AttemptRecord[];
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
async function tryOnce(
  deps: RouteDeps,
  request: RoutedRequest,
  to: { readonly sink: AnswerSink; readonly tags: RouteTags },
): Promise<AttemptRecord> {
  const { clock, leases, cooldowns } = deps;
  const { worker } = to.tags;
  const lease = leases.take(worker, {
    requestId: request.id,
    user: request.user,
    memoryBytes: allocatedBytes(worker, request),
  });
  deps.strategy.picker.picked?.(worker);
  const wasProbe = cooldowns.began(worker.index);
  const startedAtMs = clock.now();
  const concurrencyAtStart = leases.own(worker.index);
  const result = await deps.attempt({ worker, request, ...to });
  const concurrency = (concurrencyAtStart + leases.own(worker.index)) / 2;
  lease.release();
  const outcome = await withSignOfLife(deps, request, { result, ...to });
  const verdict = classify(outcome);
  const failure = failureOf(outcome);
  cooldowns.ended(worker.index, { class: verdict.class, failure, wasProbe });
  const endedAtMs = clock.now();
  const times = { startedAtMs, endedAtMs, concurrency };
  const record = { worker, outcome, class: verdict.class, result, ...times };
  deps.observer.onAttemptEnd(request, record);
  return record;
}

/** After a timeout the client is answered first; then a silent worker is asked whether it lives. */
async function withSignOfLife(
  deps: RouteDeps,
  request: RoutedRequest,
  what: { readonly result: AttemptResult; readonly sink: AnswerSink; readonly tags: RouteTags },
): Promise<AttemptOutcome> {
  const { outcome } = what.result;
  if (outcome.kind !== "timeout") return outcome;
  if (!outcome.committed) what.sink.refuse(deadlineError(request), what.tags);
  if (outcome.workerAlive) return outcome;
  return { ...outcome, workerAlive: await deps.isAlive(what.tags.worker) };
}

/** Waits as the retry policy says; null = no further attempt. */
async function nextQuestion(
  deps: RouteDeps,
  request: RoutedRequest,
  { attempts, verdict }: { attempts: readonly AttemptRecord[]; verdict: Verdict },
): Promise<Question | null> {
  const tried = attempts.map((attempt) => attempt.worker.index);
  const elsewhere = ask(deps, request, tried);
  const anotherWorker = decide(elsewhere).worker !== null;
  if (!anotherWorker && verdict.retry === "elsewhere") return null;
  const random = (): number => deps.random.next();
  const policy = deps.retry;
  const count = attempts.length;
  const delayMs = retryDelayMs({ policy, verdict, attempts: count, anotherWorker, random });
  if (delayMs === null || deps.clock.now() + delayMs >= request.deadlineAtMs) return null;
  if (delayMs === 0) return elsewhere;
  await Promise.race([sleep(deps.clock, delayMs), abandoned(request)]);
  const again = ask(deps, request, tried);
  return decide(again).worker === null ? ask(deps, request, []) : again;
}

function abandoned(request: RoutedRequest): Promise<void> {
  return new Promise((resolve) => request.abandonment.listen(resolve));
}

/** The attempt's own end is the client's: its answer, its error, or nobody there to hear it. */
function deliver(trip: Trip, record: AttemptRecord, tags: RouteTags): RouteEnd {
  const { attempts, request, sink } = trip;
  const { outcome, result } = record;
  switch (outcome.kind) {
    case "answered":
      if (result.answer) sink.whole(result.answer, tags);
      return { status: outcome.status, error: null, attempts };
    case "timeout":
      return { status: 504, error: deadlineError(request), attempts };
    case "abandoned":
      return gone(attempts);
    case "unreachable":
    case "broken":
      return { status: 200, error: failed(attempts), attempts };
  }
}

function gone(attempts: readonly AttemptRecord[]): RouteEnd {
  return { status: CLIENT_CLOSED_REQUEST, error: null, attempts };
}

/** No further attempt: the last one's failure is told, or why there was none at all. */
function giveUp({ attempts, sink }: Trip, question: Question): RouteEnd {
  const last = attempts.at(-1);
  if (!last) {
    const error = nobodyError(question);
    sink.refuse(error, null);
    return { status: error.status, error, attempts };
  }
  const tags = { worker: last.worker, attempts: attempts.length, queueMs: 0 };
  const { answer } = last.result;
  if (answer?.status === 404) {
    sink.whole(answer, tags);
    return { status: answer.status, error: null, attempts };
  }
  const error = failed(attempts);
  sink.refuse(error, tags);
  return { status: error.status, error, attempts };
}

function failed(attempts: readonly AttemptRecord[]): RouterError {
  const last = attempts.at(-1)!;
  const { outcome, worker, result } = last;
  const { answer } = result;
  return attemptsFailedError({ workerId: worker.id, outcome, answer, attempts: attempts.length });
}
