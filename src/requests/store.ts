import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { Job } from "./job.ts";

export interface JobStoreOptions {
  readonly clock: Clock;
  /** jobs.ttl: how long a finished job can be asked for. */
  readonly ttlMs: number;
  /** jobs.max_mb: the oldest finished jobs give way. Running ones are never dropped. */
  readonly maxBytes: number;
}

/** Jobs by user and id, in memory: a restart forgets them, which is why answers carry a boot_id. */
export class JobStore {
  readonly #options: JobStoreOptions;
  readonly #byKey = new Map<string, Job>();
  /** In order of their end. */
  readonly #finished = new Map<Job, number>();
  #finishedBytes = 0;

  constructor(options: JobStoreOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Throws REQUEST_ID_TAKEN: an id is its user's own, and used once. */
  add(job: Job): void {
    this.#dropExpired();
    const key = keyOf(job.owner, job.id);
    if (this.#byKey.has(key)) {
      const message = `you already have a job with the request_id ${job.id}`;
      throw new RouterError("REQUEST_ID_TAKEN", message, { param: "request_id" });
    }
    this.#byKey.set(key, job);
    job.onEnd(() => this.#keepFinished(job));
  }

  remove(job: Job): void {
    this.#byKey.delete(keyOf(job.owner, job.id));
    const bytes = this.#finished.get(job);
    if (bytes === undefined) return;
    this.#finished.delete(job);
    this.#finishedBytes -= bytes;
  }

  find(user: string, id: string): Job | null {
    this.#dropExpired();
    return this.#byKey.get(keyOf(user, id)) ?? null;
  }

  /** For roles that may read every job: ids are only unique within a user. */
  findOfAnyone(id: string): Job[] {
    this.#dropExpired();
    return [...this.#byKey.values()].filter((job) => job.id === id);
  }

  all(): Iterable<Job> {
    return this.#byKey.values();
  }

  #keepFinished(job: Job): void {
    // Refused in the tick of its submission: it was removed, and nobody will ask for it.
    if (this.#byKey.get(keyOf(job.owner, job.id)) !== job) return;
    this.#finished.set(job, job.bytes);
    this.#finishedBytes += job.bytes;
    for (const [oldest] of this.#finished) {
      if (this.#finishedBytes <= this.#options.maxBytes) break;
      this.remove(oldest);
    }
  }

  #dropExpired(): void {
    const expiredBefore = this.#options.clock.wallMs() - this.#options.ttlMs;
    for (const [job] of this.#finished) {
      if ((job.finishedAtWallMs ?? 0) > expiredBefore) break;
      this.remove(job);
    }
  }
}

/** A user's name has no line feed: config and headers refuse it. */
function keyOf(user: string, id: string): string {
  return `${user}\n${id}`;
}
