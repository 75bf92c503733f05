import type { Clock } from "../clock.ts";
import type { OutcomeClass } from "./classify.ts";

/**
 * The time a failing worker gets no new requests. A worker is taken out when its failure share over
 * the last minute is above error_threshold beyond reasonable doubt, or when it fails several times in
 * a row; after the cooldown single probes decide whether it is back.
 */

export interface CooldownOptions {
  readonly clock: Clock;
  /** error_handler.error_threshold, 0..1. */
  readonly errorThreshold: number;
  /** error_handler.gpu_cooldown_period. */
  readonly cooldownMs: number;
  readonly onChange: (change: CooldownChange) => void;
}

export interface CooldownChange {
  readonly workerIndex: number;
  readonly kind: "cooling" | "recovered";
  readonly reason: string;
  readonly untilMs: number;
}

export interface Cooldown {
  readonly reason: string;
  /** Monotonic; in the past while a probe is awaited. */
  readonly untilMs: number;
}

/** How an attempt ended, for the worker's history. */
export interface AttemptEnd {
  readonly class: OutcomeClass;
  /** What went wrong, in words; empty where nothing did. */
  readonly failure: string;
  /** What `began` returned. */
  readonly wasProbe: boolean;
}

/** What routing reads. */
export interface CooldownView {
  /** True while the worker must get no new request: cooling, or its one probe is under way. */
  blocks(workerIndex: number): boolean;
  describe(workerIndex: number): Cooldown | null;
}

export const WINDOW_MS = 60_000;
const BUCKETS = 6;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** Fewer requests than this say nothing about a share. */
export const MIN_REQUESTS = 20;
/** 99.5 % one-sided: a worker with a true share at the threshold is hardly ever taken out. */
const WILSON_Z = 2.58;
const FAILURES_IN_A_ROW = 5;
const CONNECTION_FAILURES_IN_A_ROW = 3;
const PROBE_SUCCESSES = 2;

class WorkerHistory {
  readonly successes = new Uint32Array(BUCKETS);
  readonly failures = new Uint32Array(BUCKETS);
  bucket = 0;
  /** Failures in a row, and how much they weigh: shared ones half. */
  inARow = 0;
  weightInARow = 0;
  connectionInARow = 0;
  cooldown: Cooldown | null = null;
  probeInFlight = false;
  probeSuccesses = 0;

  /** Moves the window on to the bucket of `nowMs`, emptying those that passed meanwhile. */
  advance(nowMs: number): number {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const passed = Math.min(bucket - this.bucket, BUCKETS);
    for (let i = 1; i <= passed; i++) {
      this.successes[(this.bucket + i) % BUCKETS] = 0;
      this.failures[(this.bucket + i) % BUCKETS] = 0;
    }
    this.bucket = bucket;
    return bucket % BUCKETS;
  }

  /** The counts stay: they are still the truth about the last minute. */
  cool(cooldown: Cooldown): void {
    this.#restart(cooldown);
  }

  /** What was counted before must not take it out again. */
  recover(): void {
    this.successes.fill(0);
    this.failures.fill(0);
    this.#restart(null);
  }

  #restart(cooldown: Cooldown | null): void {
    this.inARow = 0;
    this.weightInARow = 0;
    this.connectionInARow = 0;
    this.cooldown = cooldown;
    this.probeInFlight = false;
    this.probeSuccesses = 0;
  }
}

export class Cooldowns implements CooldownView {
  readonly #options: CooldownOptions;
  readonly #workers: (WorkerHistory | undefined)[] = [];

  constructor(options: CooldownOptions) {
    this.#options = options;
  }

  blocks(workerIndex: number): boolean {
    const history = this.#workers[workerIndex];
    if (!history?.cooldown) return false;
    return history.probeInFlight || this.#options.clock.now() < history.cooldown.untilMs;
  }

  describe(workerIndex: number): Cooldown | null {
    return this.#workers[workerIndex]?.cooldown ?? null;
  }

  /** Share of failures in the last minute, 0..1; 0 when there were no requests. */
  errorRate(workerIndex: number): number {
    const history = this.#workers[workerIndex];
    if (!history) return 0;
    history.advance(this.#options.clock.now());
    const failures = sum(history.failures);
    return failures === 0 ? 0 : failures / (failures + sum(history.successes));
  }

  /**
   * Call in the same tick as the choice; `ended` must follow, with what this returns.
   * True: this attempt is the worker's one probe.
   */
  began(workerIndex: number): boolean {
    const history = this.#workers[workerIndex];
    if (!history?.cooldown) return false;
    history.probeInFlight = true;
    return true;
  }

  ended(workerIndex: number, end: AttemptEnd): void {
    const history = (this.#workers[workerIndex] ??= new WorkerHistory());
    if (end.wasProbe) history.probeInFlight = false;
    // Answers to requests that were sent before the cooldown began say nothing new about it.
    if (history.cooldown && !end.wasProbe) return;
    if (end.class === "neutral" || (end.class === "shared" && end.wasProbe)) return;
    const bucket = history.advance(this.#options.clock.now());
    if (end.class === "success") this.#succeeded(workerIndex, history, bucket);
    else this.#failed(workerIndex, history, { ...end, bucket });
  }

  #succeeded(workerIndex: number, history: WorkerHistory, bucket: number): void {
    history.successes[bucket] = (history.successes[bucket] ?? 0) + 1;
    history.inARow = 0;
    history.weightInARow = 0;
    history.connectionInARow = 0;
    if (!history.cooldown) return;
    history.probeSuccesses += 1;
    if (history.probeSuccesses < PROBE_SUCCESSES) return;
    const { reason, untilMs } = history.cooldown;
    history.recover();
    this.#options.onChange({ workerIndex, kind: "recovered", reason, untilMs });
  }

  #failed(
    workerIndex: number,
    history: WorkerHistory,
    end: AttemptEnd & { readonly bucket: number },
  ): void {
    // Half a failure in the row, and none in the share: a worker that does nothing else is still
    // taken out, while good requests in between clear it.
    const shared = end.class === "shared";
    if (!shared) history.failures[end.bucket] = (history.failures[end.bucket] ?? 0) + 1;
    history.inARow += 1;
    history.weightInARow += shared ? 0.5 : 1;
    history.connectionInARow = end.class === "connection" ? history.connectionInARow + 1 : 0;
    const reason = this.#reasonToCool(history, end.failure);
    if (reason === null) return;
    const untilMs = this.#options.clock.now() + this.#options.cooldownMs;
    history.cool({ reason, untilMs });
    this.#options.onChange({ workerIndex, kind: "cooling", reason, untilMs });
  }

  #reasonToCool(history: WorkerHistory, failure: string): string | null {
    if (history.cooldown) return `probe failed: ${failure}`;
    if (history.connectionInARow >= CONNECTION_FAILURES_IN_A_ROW) {
      return `${history.connectionInARow} connections in a row failed: ${failure}`;
    }
    if (history.weightInARow >= FAILURES_IN_A_ROW) {
      return `${history.inARow} requests in a row failed: ${failure}`;
    }
    const failures = sum(history.failures);
    const total = failures + sum(history.successes);
    if (total < MIN_REQUESTS) return null;
    if (wilsonLowerBound(failures, total, WILSON_Z) <= this.#options.errorThreshold) return null;
    return `${failures} of ${total} requests failed in a minute: ${failure}`;
  }
}

/** Wilson score interval, lower end: E. B. Wilson, 1927. */
export function wilsonLowerBound(failures: number, total: number, z: number): number {
  if (total === 0) return 0;
  const share = failures / total;
  const z2 = (z * z) / total;
  const spread = z * Math.sqrt((share * (1 - share)) / total + z2 / (4 * total));
  return Math.max(0, (share + z2 / 2 - spread) / (1 + z2));
}

function sum(counts: Uint32Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
