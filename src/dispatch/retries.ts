import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { Verdict } from "../failures/classify.ts";
import type { RetryBudget } from "../failures/retry-budget.ts";
import { jittered, retryDelayMs, type RetryPolicy } from "../failures/retry.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Trip } from "./endings.ts";
import { pause } from "./pause.ts";
import type { AttemptRecord } from "./route-request.ts";
import type { Turns } from "./turns.ts";

export interface RetryDeps {
  readonly clock: Clock;
  readonly random: { next(): number };
  readonly retry: RetryPolicy;
  readonly retryBudget: RetryBudget;
  readonly turns: Pick<Turns, "couldGoElsewhere" | "mayGoElsewhere">;
  /** Asks a silent worker whether it is alive. Never rejects. */
  readonly isAlive: (worker: Worker) => Promise<boolean>;
}

/** Early probes of dead workers cost nobody anything, but no request makes them for ever. */
const UNCOUNTED_MAX = 20;
/** So many workers may die under one request; after that it is the request that kills them. */
const DEATHS_MAX = 2;
/** An empty budget is not asked again sooner, however short retry_delay is. */
const LEAST_WAIT_MS = 100;

/** Waits as the retry policy says. False: no further attempt. */
export function waitToRetry(
  deps: RetryDeps,
  trip: Trip,
  verdict: Verdict,
): Promise<boolean> | boolean {
  const { request, attempts } = trip;
  watchForDeath(deps, trip);
  const tried = attempts.map(({ worker }) => worker.index);
  const anotherWorker = deps.turns.couldGoElsewhere(request, tried);
  if (verdict.retry === "elsewhere" && !deps.turns.mayGoElsewhere(request, tried)) return false;
  const random = (): number => deps.random.next();
  const terms = { policy: deps.retry, verdict, anotherWorker, random };
  const delayMs = retryDelayMs({ ...terms, attempts: countedAttempts(attempts) });
  if (delayMs === null) return false;
  // What no worker saw cannot add to a fleet's trouble.
  const isFree = attempts.at(-1)?.outcome.kind === "unreachable";
  if (delayMs === 0 && (isFree || deps.retryBudget.take())) {
    return deps.clock.now() < request.deadlineAtMs;
  }
  return waitForBudget(deps, trip, { delayMs, isFree });
}

/** What is told of a request under which workers died; null where they did not. */
export function deadlyError({ deaths, attempts }: Trip): RouterError | null {
  if (deaths === null || deaths.size < DEATHS_MAX) return null;
  const workers = [...deaths].map((index) => attempts.find((a) => a.worker.index === index));
  const named = workers.map((attempt) => attempt?.worker.id).join(" and ");
  const message = `${named} stopped answering while they ran this: it is not given to another worker`;
  return new RouterError("WORKER_FAILED", message);
}

async function waitForBudget(
  { clock, random, retry, retryBudget }: RetryDeps,
  trip: Trip,
  { delayMs, isFree }: { readonly delayMs: number; readonly isFree: boolean },
): Promise<boolean> {
  let waitMs = delayMs === 0 ? LEAST_WAIT_MS : delayMs;
  while (await pause(clock, trip.request, waitMs)) {
    if (deadlyError(trip) !== null) return false;
    if (isFree || retryBudget.take()) return true;
    waitMs = Math.max(
      LEAST_WAIT_MS,
      jittered(retry.delayMs, () => random.next()),
    );
  }
  return false;
}

function countedAttempts(attempts: readonly AttemptRecord[]): number {
  const uncounted = attempts.filter(
    ({ wasProbe, outcome }) => wasProbe && outcome.kind === "unreachable",
  );
  return attempts.length - Math.min(uncounted.length, UNCOUNTED_MAX);
}

/** A request can kill its worker, as one that meets a defect of the engine: is it dead? */
function watchForDeath({ isAlive }: RetryDeps, trip: Trip): void {
  const last = trip.attempts.at(-1);
  if (last?.outcome.kind !== "broken" || last.outcome.stale) return;
  const { worker } = last;
  const noteDeath = async (): Promise<void> => {
    if (!(await isAlive(worker))) (trip.deaths ??= new Set()).add(worker.index);
  };
  void noteDeath();
}
