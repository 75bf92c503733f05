import type { Verdict } from "./classify.ts";

export interface RetryPolicy {
  /** request_router.max_retries: 3 = up to 4 attempts. */
  readonly maxRetries: number;
  /** request_router.retry_delay. */
  readonly delayMs: number;
}

/** Spreads the delay over 0.5..1.5 of itself, so that failed requests do not return all at once. */
export function jittered(delayMs: number, random: () => number): number {
  return delayMs * (0.5 + random());
}

export interface RetryQuestion {
  readonly policy: RetryPolicy;
  readonly verdict: Verdict;
  /** Attempts made so far that count. */
  readonly attempts: number;
  /** A worker that was not tried yet could take it now. */
  readonly anotherWorker: boolean;
  readonly random: () => number;
}

/**
 * Milliseconds to wait before the next attempt; null = do not try again.
 * At once only where the connection was stale, or nothing was sent and another worker is there: else
 * a dead fleet is hammered.
 */
export function retryDelayMs(question: RetryQuestion): number | null {
  const { policy, verdict, attempts, anotherWorker, random } = question;
  if (verdict.retry === "no" || attempts > policy.maxRetries) return null;
  if (verdict.sameWorkerAtOnce || (verdict.provablyUnsent && anotherWorker)) return 0;
  return jittered(policy.delayMs, random);
}
