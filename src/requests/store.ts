import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { Job } from "./job.ts";
import { NewestFirst } from "./newest-first.ts";
import type { JobState } from "./request.ts";

export interface JobStoreOptions {
  readonly clock: Clock;
  /** jobs.ttl: how long a finished job can be asked for. */
  readonly ttlMs: number;
  /** jobs.max_mb: the oldest finished jobs give way. Running ones are never dropped. */
  readonly maxBytes: number;
}

export interface JobQuery {
  /** null = everyone's. */
  readonly user: string | null;
  /** Empty = whatever their state. */
  readonly states: ReadonlySet<JobState>;
  /** Only jobs that were submitted before the one with this number; Infinity = from the newest. */
  readonly before: number;
  readonly limit: number;
}

export interface JobPage {
  /** Newest first. */
  readonly jobs: readonly Job[];
  /** `before` of the next page; null = there is none. */
  readonly next: number | null;
}

interface Entry {
  /** Grows with every job: the order of pages, which no end or expiry of others changes. */
  readonly sequence: number;
  readonly job: Job;
}

/** Jobs by user and id, in memory: a restart forgets them, which is why answers carry a boot_id. */
export class JobStore {
  readonly #options: JobStoreOptions;
  readonly #byKey = new Map<string, Entry>();
  /** Nearly always one: ids are only unique within a user. */
  readonly #byId = new Map<string, readonly Job[]>();
  readonly #everyone = new NewestFirst<Entry>();
  readonly #byUser = new Map<string, NewestFirst<Entry>>();
  /** In order of their end; `atMs` is monotonic: a jump of the wall clock expires nothing. */
  readonly #finished = new Map<Job, { readonly bytes: number; readonly atMs: number }>();
  #finishedBytes = 0;
  #lastSequence = 0;

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
    const entry = { sequence: ++this.#lastSequence, job };
    this.#byKey.set(key, entry);
    this.#byId.set(job.id, [...this.findOfAnyone(job.id), job]);
    this.#everyone.add(entry);
    let own = this.#byUser.get(job.owner);
    if (!own) this.#byUser.set(job.owner, (own = new NewestFirst()));
    own.add(entry);
    job.onEnd(() => this.#keepFinished(job));
  }

  remove(job: Job): void {
    this.#forget(job);
    const finished = this.#finished.get(job);
    if (finished === undefined) return;
    this.#finished.delete(job);
    this.#finishedBytes -= finished.bytes;
  }

  find(user: string, id: string): Job | null {
    this.#dropExpired();
    return this.#byKey.get(keyOf(user, id))?.job ?? null;
  }

  /** False once the job is dropped, also where a later one has its id. */
  holds(job: Job): boolean {
    return this.find(job.owner, job.id) === job;
  }

  /** For roles that may read every job. */
  findOfAnyone(id: string): readonly Job[] {
    this.#dropExpired();
    return this.#byId.get(id) ?? [];
  }

  /** No job comes on two pages, and none that is kept all the while is left out. */
  page({ user, states, before, limit }: JobQuery): JobPage {
    this.#dropExpired();
    const entries = user === null ? this.#everyone : this.#byUser.get(user);
    const found: Entry[] = [];
    for (const entry of entries?.before(before) ?? []) {
      if (states.size > 0 && !states.has(entry.job.state)) continue;
      if (found.length === limit) return { jobs: found.map(jobOf), next: found.at(-1)!.sequence };
      found.push(entry);
    }
    return { jobs: found.map(jobOf), next: null };
  }

  #forget(job: Job): void {
    const key = keyOf(job.owner, job.id);
    const entry = this.#byKey.get(key);
    if (entry?.job !== job) return;
    this.#byKey.delete(key);
    this.#everyone.remove(entry);
    this.#forgetId(job);
    const own = this.#byUser.get(job.owner);
    own?.remove(entry);
    if (own?.size === 0) this.#byUser.delete(job.owner);
  }

  #forgetId(gone: Job): void {
    const left = this.#byId.get(gone.id)?.filter((job) => job !== gone) ?? [];
    if (left.length > 0) this.#byId.set(gone.id, left);
    else this.#byId.delete(gone.id);
  }

  #keepFinished(job: Job): void {
    // Refused in the tick of its submission: it was removed, and nobody will ask for it.
    if (this.#byKey.get(keyOf(job.owner, job.id))?.job !== job) return;
    const { bytes } = job;
    this.#finished.set(job, { bytes, atMs: this.#options.clock.now() });
    this.#finishedBytes += bytes;
    for (const [oldest] of this.#finished) {
      if (this.#finishedBytes <= this.#options.maxBytes) break;
      this.remove(oldest);
    }
  }

  #dropExpired(): void {
    const expiredBefore = this.#options.clock.now() - this.#options.ttlMs;
    for (const [job, { atMs }] of this.#finished) {
      if (atMs > expiredBefore) break;
      this.remove(job);
    }
  }
}

const jobOf = ({ job }: Entry): Job => job;

/** A user's name has no line feed: config and headers refuse it. */
function keyOf(user: string, id: string): string {
  return `${user}\n${id}`;
}
