import { registerGauge, registerTotal, type Exposition } from "./exposition.ts";
import { registerFleetGauges } from "./fleet-gauges.ts";
import type { MetricsView } from "./metrics-view.ts";

/** What is looked at when a scrape asks. */
export function registerGauges(exposition: Exposition, view: MetricsView): void {
  registerFleetGauges(exposition, view);
  registerQueueGauges(exposition, view);
  registerLedgerGauges(exposition, view);
  registerProcessGauges(exposition, view);
  registerLogMetrics(exposition, view);
}

const BANDS = ["1", "2", "3", "4", "5"];

function registerQueueGauges(exposition: Exposition, view: MetricsView): void {
  const waiting = { name: "router_queue_requests", label: "band" };
  const help = "Requests that wait for a slot, by band.";
  registerGauge(exposition, { ...waiting, help }, () =>
    BANDS.map((band) => [band, view.queue().sizeOfBand(Number(band))]),
  );
  const one = oneSeries(exposition);
  one(
    "router_queue_bytes",
    "Size of the bodies of the requests that wait.",
    () => view.queue().bytes,
  );
  one("router_queue_limit_requests", "queue.max_requests: as many may wait.", () => {
    return view.settings().queue.maxRequests;
  });
  one("router_queue_limit_bytes", "queue.max_mb, in bytes: as much may wait.", () => {
    return view.settings().queue.maxBytes;
  });
}

/** What is held, and must be 0 when nothing is under way. */
function registerLedgerGauges(exposition: Exposition, view: MetricsView): void {
  const leases = { name: "router_leases", label: "counted" };
  const help = "Open leases: all, summed over workers, summed over users. All three are the same.";
  registerGauge(exposition, { ...leases, help }, () => Object.entries(view.leaseSums()));
  const one = oneSeries(exposition);
  one("router_open_reservations", "Requests whose quota is not settled yet.", () =>
    view.openReservations(),
  );
  one("router_running_jobs", "Jobs of /api/v1/route under way.", () => view.runningJobs());
  one("router_pending_callbacks", "Callbacks that are neither delivered nor given up.", () =>
    view.pendingCallbacks(),
  );
  one("router_retry_budget_tokens", "Retries that may be made now.", () =>
    view.retryBudgetTokens(),
  );
}

function registerProcessGauges(exposition: Exposition, view: MetricsView): void {
  const build = {
    name: "router_build_info",
    help: "Always 1; the label tells the version of the router.",
  };
  registerGauge(exposition, { ...build, label: "version" }, () => [[view.version, 1]]);
  const one = oneSeries(exposition);
  one(
    "router_shedding_below_band",
    "New work below this band is refused: 1 = none is, 6 = all is.",
    () => view.lowestBand(),
  );
  one(
    "router_open_connections",
    "Connections that clients have open.",
    () => view.connections().openCount,
  );
  one(
    "router_connection_limit",
    "Connections that clients may have open: for more the process lacks file descriptors.",
    () => view.connections().limit,
  );
}

function registerLogMetrics(exposition: Exposition, { logCounts }: MetricsView): void {
  exposition.register({
    name: "router_log_lines_dropped_total",
    help: "Lines of the log that were lost on their way to stdout or the Logging Service.",
    type: "counter",
    read(add) {
      const { droppedByStdout, droppedByService } = logCounts();
      add('sink="stdout"', droppedByStdout);
      add('sink="service"', droppedByService);
    },
  });
  const shipped = "Lines of the log that the Logging Service took.";
  registerTotal(exposition, { name: "router_log_lines_shipped_total", help: shipped }, () => {
    return logCounts().shipped;
  });
  oneSeries(exposition)(
    "router_log_backlog_bytes",
    "Size of the lines of the log that wait for the Logging Service.",
    () => logCounts().backlogBytes,
  );
}

type RegisterOne = (name: string, help: string, read: () => number) => void;

function oneSeries(exposition: Exposition): RegisterOne {
  return (name, help, read) =>
    registerGauge(exposition, { name, help, label: null }, () => [["", read()]]);
}
