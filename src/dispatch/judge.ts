import { classify, type AttemptOutcome, type Verdict } from "../failures/classify.ts";
import type { AttemptEnd } from "../failures/cooldown-view.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { Worker } from "../fleet/worker.ts";
import { BUSY_RETRY_AFTER_MS, failureOf } from "./give-up.ts";
import type { AttemptRecord, RouteObserver } from "./route-request.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { Turns } from "./turns.ts";

export interface JudgeDeps {
  readonly cooldowns: Cooldowns;
  /** Asks a silent worker whether it is alive. Never rejects. */
  readonly isAlive: (worker: Worker) => Promise<boolean>;
  readonly observer: RouteObserver;
  /** Told of a worker that may be used again. */
  readonly turns: Pick<Turns, "slotFreed">;
}

/** What no engine could run. */
const CLIENTS_MISTAKES: ReadonlySet<number> = new Set([400, 409, 413, 422]);

const NOTHING_MORE = {};

type Silence = Extract<AttemptOutcome, { readonly kind: "timeout" }>;

interface Trial {
  readonly record: AttemptRecord;
  /** What `cooldowns.began` returned. */
  readonly wasProbe: boolean;
}

/**
 * What the attempts of one request say about the workers. Most say it at once. Half of a bad answer
 * waits for the others: the same on every worker, it is the request's own; good elsewhere, it is not.
 */
export class Judge {
  readonly #deps: JudgeDeps;
  readonly #request: RoutedRequest;
  /** By worker; made for the first, since nearly every request has none. */
  #undecided: Map<number, Trial> | null = null;
  #wentWell = false;
  #isMistake = false;

  constructor(deps: JudgeDeps, request: RoutedRequest) {
    this.#deps = deps;
    this.#request = request;
  }

  /** In the tick of the attempt's end; the client is not kept waiting for what this asks. */
  attemptEnded(trial: Trial): void {
    const { outcome } = trial.record;
    if (outcome.kind !== "timeout" || outcome.workerAlive) return this.#judge(trial);
    void this.#askFirst(trial, outcome);
  }

  async #askFirst({ record, wasProbe }: Trial, outcome: Silence): Promise<void> {
    const workerAlive = await this.#deps.isAlive(record.worker);
    this.#judge({ record: { ...record, outcome: { ...outcome, workerAlive } }, wasProbe });
  }

  async #trustIfAlive(worker: Worker): Promise<void> {
    if (!(await this.#deps.isAlive(worker))) return;
    this.#deps.cooldowns.trust(worker.index);
    this.#deps.turns.slotFreed(worker);
  }

  /** No further attempt: what was undecided is decided. */
  requestEnded(): void {
    if (this.#undecided === null) return;
    const shared = this.#isMistake || (!this.#wentWell && this.#undecided.size > 1);
    if (shared) return;
    for (const trial of this.#undecided.values()) this.#charge(trial, "confirmed");
  }

  #judge(trial: Trial): void {
    const { record } = trial;
    const verdict = classify(record.outcome);
    this.#deps.observer.onAttemptEnd(this.#request, record, verdict.class);
    if (verdict.suspects) void this.#trustIfAlive(record.worker);
    // A probe is judged at once: the worker waits for it, and has shown no success lately.
    if (verdict.mayBeTheRequest && !trial.wasProbe) return this.#suspend(trial);
    if (record.outcome.kind === "answered") this.#heard(record.outcome.status);
    this.#charge(trial, verdict.class, verdict);
  }

  /** Half of it counts at once: the other workers may take long, and all others would come here. */
  #suspend(trial: Trial): void {
    // By index: a poll between two attempts makes a new object of the same worker.
    const { index } = trial.record.worker;
    // One request counts once against a worker, however often it was tried there.
    this.#undecided ??= new Map();
    if (this.#undecided.has(index)) return this.#charge(trial, "neutral");
    this.#undecided.set(index, trial);
    this.#charge(trial, "shared");
  }

  #heard(status: number): void {
    if (status < 300) this.#wentWell = true;
    // Engines differ in how they refuse what nobody could run: one that says so clears the others.
    if (CLIENTS_MISTAKES.has(status)) this.#isMistake = true;
  }

  #charge(
    { record, wasProbe }: Trial,
    outcomeClass: AttemptEnd["class"],
    { pauses = false, suspects = false }: Pick<Verdict, "pauses" | "suspects"> = NOTHING_MORE,
  ): void {
    const { worker, outcome, result } = record;
    const end = { class: outcomeClass, failure: failureOf(outcome), wasProbe, suspects };
    const pauseMs = result.answer?.retryAfterMs ?? BUSY_RETRY_AFTER_MS;
    this.#deps.cooldowns.ended(worker.index, pauses ? { ...end, pauseMs } : end);
  }
}
