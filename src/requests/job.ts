import type { Answer } from "../dispatch/answer.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import type { AttemptRecord } from "../dispatch/route-request.ts";
import type { RouterError } from "../errors.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Decision } from "../routing/explain.ts";
import { isOver, nextState, type JobState } from "./request.ts";

/** What is told to whoever waits for a job, or watches it. */
type Listener = (job: Job) => void;

/** What its client says of a job beside the request itself. */
export interface JobWishes {
  /** For the estimates; null = not said. */
  readonly expectedDurationMs: number | null;
  /** Called when the job is over, as `Callbacks.check` returned it; null = nobody is told. */
  readonly callbackUrl: URL | null;
}

/** A request submitted to /api/v1/route, from its submission to the end of its keeping. */
export class Job {
  readonly request: RoutedRequest;
  readonly submittedAtWallMs: number;
  readonly expectedDurationMs: number | null;
  readonly callbackUrl: URL | null;
  #state: JobState = "pending";
  #endListeners = new Set<Listener>();
  readonly #changeListeners = new Set<Listener>();
  startedAtWallMs: number | null = null;
  finishedAtWallMs: number | null = null;
  worker: Worker | null = null;
  /** Of the latest attempt. */
  decision: Decision | null = null;
  attempts: readonly AttemptRecord[] = [];
  answer: Answer | null = null;
  error: RouterError | null = null;

  constructor(request: RoutedRequest, about: JobWishes & { readonly submittedAtWallMs: number }) {
    this.request = request;
    this.submittedAtWallMs = about.submittedAtWallMs;
    this.expectedDurationMs = about.expectedDurationMs;
    this.callbackUrl = about.callbackUrl;
  }

  get id(): string {
    return this.request.id;
  }

  get owner(): string {
    return this.request.user;
  }

  get state(): JobState {
    return this.#state;
  }

  get isOver(): boolean {
    return isOver(this.#state);
  }

  /** Rough size in memory, for the store's bound. */
  get bytes(): number {
    return this.request.body.length + (this.answer?.body.length ?? 0) + this.#overheadBytes;
  }

  /** Told of every decision made for it; the first that finds a worker starts it. */
  decided(worker: Worker | null, decision: Decision, atWallMs: number): void {
    this.decision = decision;
    if (this.isOver) return;
    if (worker !== null) {
      this.worker = worker;
      this.#enter("processing", atWallMs);
    }
    this.#tellOfChange();
  }

  get #overheadBytes(): number {
    return JOB_BYTES + CANDIDATE_BYTES * (this.decision?.candidates.length ?? 0);
  }

  moveTo(state: JobState, atWallMs: number): void {
    if (state === this.#state) return;
    this.#enter(state, atWallMs);
    this.#tellOfChange();
    if (!this.isOver) return;
    const listeners = this.#endListeners;
    this.#endListeners = new Set();
    for (const listener of listeners) listener(this);
  }

  /** Runs once, when the job is over; at once if it is. Returns how to stop waiting. */
  onEnd(listener: Listener): () => void {
    if (this.isOver) listener(this);
    else this.#endListeners.add(listener);
    return () => void this.#endListeners.delete(listener);
  }

  /**
   * Runs at each new state, the last one included, and each new decision; never for a job that is
   * over. Returns how to stop.
   */
  onChange(listener: Listener): () => void {
    this.#changeListeners.add(listener);
    return () => void this.#changeListeners.delete(listener);
  }

  #enter(state: JobState, atWallMs: number): void {
    if (state === this.#state) return;
    this.#state = nextState(this.#state, state);
    if (state === "processing") this.startedAtWallMs ??= atWallMs;
    if (this.isOver) this.finishedAtWallMs = atWallMs;
  }

  #tellOfChange(): void {
    for (const listener of this.#changeListeners) listener(this);
  }
}

/** Rough, and rather too large: what counts are the bodies. */
const JOB_BYTES = 2048;
const CANDIDATE_BYTES = 512;
