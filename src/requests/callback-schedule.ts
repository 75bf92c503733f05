/** How long after the first, second, … failed attempt the next one is made. */
const DELAYS_MS = [5_000, 30_000, 120_000, 600_000];

/** A receiver may not make itself be remembered for longer. */
export const LONGEST_RETRY_AFTER_MS = 600_000;

/** Spreads retries over ±10 %, so that those which failed together do not return together. */
const JITTER = 0.1;

export interface FailedAttempt {
  /** Attempts made so far, at least 1. */
  readonly attempts: number;
  /** What the receiver asked for; counts where it is longer than our own delay. */
  readonly retryAfterMs: number | null;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Milliseconds until the next attempt; null = that was the last one. */
export function nextAttemptInMs({ attempts, retryAfterMs, random }: FailedAttempt): number | null {
  const delayMs = DELAYS_MS[attempts - 1];
  if (delayMs === undefined) return null;
  const jittered = delayMs * (1 - JITTER + 2 * JITTER * random());
  return Math.max(jittered, Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS));
}
