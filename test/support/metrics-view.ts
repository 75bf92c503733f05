import type { MetricsView } from "../../src/observability/metrics-view.ts";
import { fleetOf, strategyNamed } from "./routing-builders.ts";

/** What the metrics of an idle router look at, with what a test changes. */
export function metricsView(changes: Partial<MetricsView> = {}): MetricsView {
  const fleet = fleetOf([]);
  return {
    version: "0.0.0",
    nowMs: () => 0,
    snapshot: () => fleet,
    ownLeases: () => 0,
    isCooling: () => false,
    runningJobs: () => 0,
    pendingCallbacks: () => 0,
    queue: () => ({ sizeOfBand: () => 0, bytes: 0 }),
    leaseSums: () => ({ open: 0, over_workers: 0, over_users: 0 }),
    openReservations: () => 0,
    retryBudgetTokens: () => 100,
    lowestBand: () => 1,
    connections: () => ({ openCount: 0, limit: 1000 }),
    logCounts: () => ({ droppedByStdout: 0, droppedByService: 0, shipped: 0, backlogBytes: 0 }),
    paths: ["/v1/chat/completions"],
    settings: () => ({
      strategy: strategyNamed("hybrid"),
      maxTemperatureC: 85,
      queue: { maxRequests: 10_000, maxBytes: 2 ** 28 },
    }),
    ...changes,
  };
}
