/** What is no client and no worker's connection: the log, listeners, polls of monitors, callbacks. */
const RESERVE = 256;
/** At 40 KiB for a stream, 2 GB; where the system sets no limit, memory does. */
const CONNECTIONS_MAX = 50_000;

/**
 * The clients' connections that the process has file descriptors for: each may need another one, to
 * a worker. `openFiles`: the process's own limit, as the system reports it.
 */
export function connectionLimit(openFiles: Limit = openFilesLimit()): number {
  if (openFiles === "unlimited") return CONNECTIONS_MAX;
  const reserve = Math.min(RESERVE, openFiles / 4);
  return Math.min(CONNECTIONS_MAX, Math.floor((openFiles - reserve) / 2));
}

/** Of what Node calls a report; the first is missing in its types. */
interface Reporting {
  excludeNetwork: boolean;
  getReport(): { readonly userLimits?: { readonly open_files?: { readonly soft: Limit } } };
}

type Limit = number | "unlimited";

/** Windows reports none. */
function openFilesLimit(): Limit {
  const report = process.report as unknown as Reporting;
  const before = report.excludeNetwork;
  // Names of network interfaces would be looked up, which may take seconds.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport();
  report.excludeNetwork = before;
  return userLimits?.open_files?.soft ?? "unlimited";
}
