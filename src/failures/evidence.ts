import type { AttemptEnd } from "./cooldown-view.ts";

export const WINDOW_MS = 60_000;
const BUCKETS = 6;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** Fewer requests than this say nothing about a share. */
export const MIN_REQUESTS = 20;
/** 99.5 % one-sided: a worker with a true share at the threshold is hardly ever taken out. */
const WILSON_Z = 2.58;
const FAILURES_IN_A_ROW = 5;
const CONNECTION_FAILURES_IN_A_ROW = 3;

type FailureClass = Exclude<AttemptEnd["class"], "success" | "neutral">;

/** What speaks against a worker. row: it does nothing else any more. share: it fails too often. */
export interface Charge {
  readonly kind: "row" | "share";
  /** In words; the last failure's own follow them. */
  readonly reason: string;
}

/** What a worker's requests showed since it last came back: failures in a row, and in a minute. */
export class Evidence {
  readonly #successes = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  #bucket = 0;
  /** Failures in a row, and how much they weigh: shared ones half. */
  #inARow = 0;
  #weightInARow = 0;
  #connectionInARow = 0;

  succeeded(nowMs: number): void {
    const bucket = this.#advance(nowMs);
    this.#successes[bucket] = (this.#successes[bucket] ?? 0) + 1;
    this.#inARow = 0;
    this.#weightInARow = 0;
    this.#connectionInARow = 0;
  }

  /**
   * A shared failure is half a failure in the row, and none in the share: a worker that does nothing
   * else is still taken out, while good requests in between clear it. A confirmed one adds the rest.
   */
  failed(how: FailureClass, nowMs: number): void {
    const bucket = this.#advance(nowMs);
    const isShared = how === "shared";
    const isConfirmed = how === "confirmed";
    if (!isShared) this.#failures[bucket] = (this.#failures[bucket] ?? 0) + 1;
    if (!isConfirmed) this.#inARow += 1;
    this.#weightInARow += isShared || isConfirmed ? 0.5 : 1;
    this.#connectionInARow = how === "connection" ? this.#connectionInARow + 1 : 0;
  }

  /** null: not enough to take it out. `threshold` is error_handler.error_threshold, 0..1. */
  charge(threshold: number): Charge | null {
    if (this.#connectionInARow >= CONNECTION_FAILURES_IN_A_ROW) {
      return { kind: "row", reason: `${this.#connectionInARow} connections in a row failed` };
    }
    if (this.#weightInARow >= FAILURES_IN_A_ROW) {
      return { kind: "row", reason: `${this.#inARow} requests in a row failed` };
    }
    const failures = sum(this.#failures);
    const total = failures + sum(this.#successes);
    if (total < MIN_REQUESTS) return null;
    if (wilsonLowerBound(failures, total, WILSON_Z) <= threshold) return null;
    return { kind: "share", reason: `${failures} of ${total} requests failed in a minute` };
  }

  /** Share of failures in the last minute, 0..1; 0 when there were no requests. */
  share(nowMs: number): number {
    this.#advance(nowMs);
    const failures = sum(this.#failures);
    return failures === 0 ? 0 : failures / (failures + sum(this.#successes));
  }

  /** Moves the window on to the bucket of `nowMs`, emptying those that passed meanwhile. */
  #advance(nowMs: number): number {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const passed = Math.min(bucket - this.#bucket, BUCKETS);
    for (let i = 1; i <= passed; i++) {
      this.#successes[(this.#bucket + i) % BUCKETS] = 0;
      this.#failures[(this.#bucket + i) % BUCKETS] = 0;
    }
    this.#bucket = bucket;
    return bucket % BUCKETS;
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
