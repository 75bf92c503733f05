const SUMS =
  /^(router_leases\{counted="\w+"\}|router_open_reservations|router_queue_(?:requests|bytes)(?:\{band="\d"\})?|router_running_jobs) (\d+)$/gm;

/** Three sums of leases, reservations, five bands and their bytes, jobs: fewer would prove nothing. */
const SUM_COUNT = 11;

/**
 * What a router holds, by its metrics text: leases in all three sums, reservations, the queue and
 * jobs. Throws where the text does not tell all of them.
 */
export function openSums(metricsText: string): Readonly<Record<string, number>> {
  const sums = [...metricsText.matchAll(SUMS)];
  if (sums.length !== SUM_COUNT) throw new Error(`${sums.length} sums instead of ${SUM_COUNT}`);
  return Object.fromEntries(sums.map(([, name, value]) => [name, Number(value)]));
}

/** Those that are not 0: none where nothing is under way. */
export function heldIn(metricsText: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(openSums(metricsText)).filter(([, value]) => value !== 0),
  );
}
