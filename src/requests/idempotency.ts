import { hash } from "node:crypto";
import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { Job } from "./job.ts";

/** What one submission made: a job, or the jobs of a batch. */
export interface Submission {
  /** The batch's, or the job's own. */
  readonly id: string;
  readonly requestIds: string[];
  /** Of a submission that is repeated: those that are still kept, at least one. */
  readonly jobs: readonly Job[];
}

/** A submission as its client names it, so that a repetition is known as one. */
export interface KeyedSubmission {
  readonly user: string;
  /** The header Idempotency-Key. */
  readonly key: string;
  /** From digestOf. */
  readonly digest: string;
}

export interface IdempotencyOptions {
  readonly clock: Clock;
  /** False once the store has dropped the job. */
  readonly isKept: (job: Job) => boolean;
  /** Most jobs that the keys of all users together may stand for. */
  readonly maxJobs?: number;
  /** Most jobs that one user's keys may stand for. */
  readonly maxJobsOfUser?: number;
}

const KEPT_MS = 24 * 3_600_000;
const MAX_JOBS = 100_000;
const MAX_JOBS_OF_USER = 10_000;

/** Of the route and the body's text: equal only for a repetition. */
export function digestOf(route: string, bodyText: string): string {
  return hash("sha256", `${route}\n${bodyText}`, "base64");
}

/**
 * Lets a client repeat a submission whose answer it did not get, without running it twice. Keys are
 * their user's own and live for 24 hours, in memory; when there are too many, the oldest go first,
 * those of a user above its share before anybody else's.
 */
export class IdempotencyKeys {
  readonly #options: Required<IdempotencyOptions>;
  /** In order of their making. */
  readonly #entries = new Set<Entry>();
  readonly #users = new Map<string, UserKeys>();
  #jobs = 0;

  constructor(options: IdempotencyOptions) {
    this.#options = { maxJobs: MAX_JOBS, maxJobsOfUser: MAX_JOBS_OF_USER, ...options };
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Runs the submission, or returns what it made the first time. What `run` throws is thrown, and
   * not kept. Throws IDEMPOTENCY_MISMATCH.
   */
  once(keyed: KeyedSubmission, run: () => Submission): Submission & { readonly isReplay: boolean } {
    this.#dropExpired();
    const entry = this.#users.get(keyed.user)?.entries.get(keyed.key);
    const earlier = entry && this.#recall(entry);
    if (entry && earlier) {
      if (entry.digest !== keyed.digest) throw mismatch();
      return { ...earlier, isReplay: true };
    }
    if (entry) this.#forget(entry);
    const submission = run();
    this.#keep(keyed, submission);
    return { ...submission, isReplay: false };
  }

  #recall({ id, requestIds, jobs }: Entry): Submission | null {
    const kept = jobs.flatMap((reference) => reference.deref() ?? []).filter(this.#options.isKept);
    return kept.length === 0 ? null : { id, requestIds, jobs: kept };
  }

  #keep({ user, key, digest }: KeyedSubmission, { id, requestIds, jobs }: Submission): void {
    const { clock, maxJobs, maxJobsOfUser } = this.#options;
    const references = jobs.map((job) => new WeakRef(job));
    const what = { user, key, digest, id, requestIds, jobs: references };
    const entry: Entry = { ...what, keptAtMs: clock.now() };
    const own = this.#users.get(user) ?? { entries: new Map<string, Entry>(), jobs: 0 };
    this.#users.set(user, own);
    own.entries.set(key, entry);
    own.jobs += jobs.length;
    this.#entries.add(entry);
    this.#jobs += jobs.length;
    for (const oldest of own.entries.values()) {
      if (own.jobs <= maxJobsOfUser) break;
      this.#forget(oldest);
    }
    for (const oldest of this.#entries) {
      if (this.#jobs <= maxJobs) break;
      this.#forget(oldest);
    }
  }

  #dropExpired(): void {
    const keptBefore = this.#options.clock.now() - KEPT_MS;
    for (const entry of this.#entries) {
      if (entry.keptAtMs > keptBefore) break;
      this.#forget(entry);
    }
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry);
    this.#jobs -= entry.jobs.length;
    const own = this.#users.get(entry.user);
    if (!own) return;
    own.entries.delete(entry.key);
    own.jobs -= entry.jobs.length;
    if (own.entries.size === 0) this.#users.delete(entry.user);
  }
}

interface Entry extends KeyedSubmission, Omit<Submission, "jobs"> {
  /** Weak: a key must not keep in memory what the store has dropped. */
  readonly jobs: readonly WeakRef<Job>[];
  /** Monotonic. */
  readonly keptAtMs: number;
}

interface UserKeys {
  readonly entries: Map<string, Entry>;
  jobs: number;
}

function mismatch(): RouterError {
  const message =
    "this Idempotency-Key was used for another body or route: repeat that one, or send a new key";
  return new RouterError("IDEMPOTENCY_MISMATCH", message, { param: "idempotency-key" });
}
