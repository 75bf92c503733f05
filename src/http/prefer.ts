/** Longer waits would outlast the timeouts of most clients and balancers. */
const LONGEST_WAIT_S = 300;

/** `Prefer: wait=20` (RFC 7240) in ms; null = absent or not usable, which the RFC says to ignore. */
export function parseWaitMs(prefer: string | string[] | undefined): number | null {
  const match = /(?:^|[,;]\s*)wait\s*=\s*(\d{1,6})\s*(?:[,;]|$)/i.exec(String(prefer ?? ""));
  return match ? Math.min(LONGEST_WAIT_S, Number(match[1])) * 1000 : null;
}
