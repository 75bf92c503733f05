import type { Clock } from "../clock.ts";

/** A worker may not send clients away for longer than this. */
const LONGEST_MS = 30_000;

/** Retry-After in seconds or as a date, within 0..30 s; null = absent or unusable. */
export function parseRetryAfterMs(
  header: string | string[] | undefined,
  clock: Clock,
): number | null {
  if (typeof header !== "string") return null;
  const waitMs = /^\d+$/.test(header.trim())
    ? Number(header) * 1000
    : Date.parse(header) - clock.wallMs();
  return Number.isFinite(waitMs) ? Math.min(LONGEST_MS, Math.max(0, waitMs)) : null;
}
