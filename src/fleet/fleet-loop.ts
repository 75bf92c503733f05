import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { createAskWorkers } from "./engines/ask-worker.ts";
import { engines } from "./engines/engines.ts";
import { Fleet } from "./fleet.ts";
import { createPoller } from "./poller.ts";
import { createMonitoringService } from "./sources/monitoring-service.ts";
import { createSpeedBook, type SpeedBook } from "./speed.ts";
import type { Worker, WorkerSpec } from "./worker.ts";

export interface FleetLoopDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Our leases on a worker now, by its index. */
  readonly ownLeases: (workerIndex: number) => number;
}

export interface FleetSettings {
  readonly workers: readonly WorkerSpec[];
  readonly workerHosts: readonly string[];
  readonly maxTemperatureC: number;
  /** Base URLs of GPU Monitoring Services, and the Bearer token for them. */
  readonly monitorUrls: readonly string[];
  readonly monitorToken: string | null;
  readonly updateIntervalMs: number;
  readonly healthCheckIntervalMs: number;
  /** Of a failed source, inside one update interval. */
  readonly retry: { readonly maxRetries: number; readonly delayMs: number };
}

/** The loop of facts: sources and workers are polled, and the fleet's snapshot is replaced. */
export interface FleetLoop {
  readonly fleet: Fleet;
  readonly speeds: SpeedBook;
  /** Resolves after the first round of polls. */
  start(): Promise<void>;
  /** Asks this worker soon what it is: something about it looked wrong. */
  check(workerIndex: number): void;
  /** Whether the worker answers anything at all, asked now. */
  isAlive(worker: Worker): Promise<boolean>;
  close(): Promise<void>;
}

export function createFleetLoop(deps: FleetLoopDeps, settings: FleetSettings): FleetLoop {
  const { clock, log } = deps;
  const speeds = createSpeedBook();
  const fleet = new Fleet({ ...settings, clock, log, engines, speeds });
  const { monitorToken: token } = settings;
  const sources = settings.monitorUrls.map((url) =>
    createMonitoringService({ name: new URL(url).host, url, token, clock }),
  );
  const workers = createAskWorkers({ clock });
  const poller = createPoller({
    ...deps,
    ...settings,
    fleet,
    sources,
    engines,
    askWorker: (worker, path) => workers.ask(worker, path),
  });
  return {
    fleet,
    speeds,
    start: () => poller.start(),
    check: (workerIndex) => poller.check(workerIndex),
    isAlive: (worker) =>
      workers.ask(worker, "/health").then(
        () => true,
        () => false,
      ),
    async close() {
      await poller.close();
      await Promise.all([workers.close(), ...sources.map((source) => source.close())]);
    },
  };
}
