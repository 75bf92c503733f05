import type { Clock } from "./clock.ts";

/** A worker may not send clients away for longer than this. */
const LONGEST_MS = 30_000;

/** Retry-After in seconds or as a date, within 0..longestMs; null = absent or unusable. */
export function parseRetryAfterMs(
  header: string | string[] | undefined,
  clock: Clock,
  longestMs = LONGEST_MS,
): number | null {
  if (typeof header !== "string") return null;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(longestMs, Number(text) * 1000);
  const waitMs = HTTP_DATE.test(text) ? Date.parse(text) - clock.wallMs() : NaN;
  return Number.isNaN(waitMs) ? null : Math.min(longestMs, Math.max(0, waitMs));
}

/** Date.parse makes a date of almost anything, "-5" among them. */
const HTTP_DATE = /^[A-Z][a-z]+, .+ GMT$/;
