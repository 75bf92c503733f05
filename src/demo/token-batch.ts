import type { Clock, Timer } from "../clock.ts";

const STEP_MS = 20;
/** Each request in the batch makes every step this much longer. */
const BATCH_DRAG = 0.02;

export interface TokenJob {
  readonly model: string;
  /** At least 1. */
  readonly tokens: number;
  /** Called once per token, counting from 0; the job is over after the last. */
  onToken(index: number): void;
}

export interface BatchOptions {
  readonly clock: Clock;
  readonly slots: number;
  /** 1 makes a token every 20 ms when alone. */
  readonly speed: number;
  onRunning(requests: number): void;
}

interface Member {
  readonly job: TokenJob;
  made: number;
}

/**
 * Continuous batching: one step serves every running request with one token, so that a worker needs
 * one timer however many it runs. Requests beyond the slots wait in line, first come first served.
 */
export class TokenBatch {
  readonly #options: BatchOptions;
  readonly #running = new Set<Member>();
  readonly #waiting = new Set<Member>();
  #timer: Timer | null = null;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  /** Returns what cancels it; cancelling a job that is over does nothing. */
  submit(job: TokenJob): () => void {
    const member: Member = { job, made: 0 };
    this.#waiting.add(member);
    this.#settle();
    return () => {
      this.#waiting.delete(member);
      if (this.#running.delete(member)) this.#settle();
    };
  }

  /** Of one model, or of all. */
  running(model?: string): number {
    return countOf(this.#running, model);
  }

  waiting(model?: string): number {
    return countOf(this.#waiting, model);
  }

  #settle(): void {
    for (const member of this.#waiting) {
      if (this.#running.size >= this.#options.slots) break;
      this.#waiting.delete(member);
      this.#running.add(member);
    }
    this.#options.onRunning(this.#running.size);
    if (this.#running.size === 0) this.#stop();
    else this.#timer ??= this.#options.clock.after(this.#stepMs(), () => this.#step());
  }

  #stepMs(): number {
    return (STEP_MS * (1 + BATCH_DRAG * this.#running.size)) / this.#options.speed;
  }

  #step(): void {
    this.#timer = null;
    for (const member of this.#running) {
      const index = member.made++;
      // Out of the batch before its last token is told: whoever then looks finds the slot free.
      if (member.made === member.job.tokens) this.#running.delete(member);
      member.job.onToken(index);
    }
    this.#settle();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

function countOf(members: ReadonlySet<Member>, model: string | undefined): number {
  if (model === undefined) return members.size;
  let count = 0;
  for (const member of members) if (member.job.model === model) count++;
  return count;
}
