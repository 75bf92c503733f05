import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Strategy } from "../routing/stages.ts";
import type { LogCounts } from "./logger.ts";

/** Looked at when a scrape asks, so that gauges cost nothing in between. */
export interface MetricsView {
  readonly version: string;
  readonly nowMs: () => number;
  readonly snapshot: () => FleetSnapshot;
  readonly ownLeases: (workerIndex: number) => number;
  readonly isCooling: (workerIndex: number) => boolean;
  readonly runningJobs: () => number;
  /** Not yet delivered or given up. */
  readonly pendingCallbacks: () => number;
  /** What waits for a slot. */
  readonly queue: () => { sizeOfBand(band: number): number; readonly bytes: number };
  /** Open leases, counted in three ways that must agree at any moment. */
  readonly leaseSums: () => Readonly<Record<"open" | "over_workers" | "over_users", number>>;
  readonly openReservations: () => number;
  readonly retryBudgetTokens: () => number;
  /** New work below this band is refused; 1 = none is. */
  readonly lowestBand: () => number;
  readonly connections: () => { readonly openCount: number; readonly limit: number };
  readonly logCounts: () => LogCounts;
  /** Paths that requests may be for: of the API, and "placement". */
  readonly paths: readonly string[];
  readonly settings: () => ViewedSettings;
}

/** Settings that figures are compared with. */
interface ViewedSettings {
  readonly strategy: Pick<Strategy, "name" | "filters">;
  readonly maxTemperatureC: number;
  readonly queue: { readonly maxRequests: number; readonly maxBytes: number };
}
