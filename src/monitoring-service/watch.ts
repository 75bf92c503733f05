import type { Clock } from "../clock.ts";
import { createProblemLog } from "../fleet/problem-log.ts";
import type { NvidiaSmi } from "../fleet/sources/nvidia-smi.ts";
import type { Log } from "../log.ts";

export interface WatchOptions {
  readonly source: NvidiaSmi;
  readonly clock: Clock;
  readonly log: Log;
  /** What the router's config needs to find this service. */
  readonly routerConfig: string;
}

/** How often it is looked at, so that the log tells of a fault that nobody asks about. */
const WATCH_MS = 15_000;

export interface Watch {
  /** Resolves when the first look is told. */
  readonly told: Promise<void>;
  stop(): void;
}

/** Logs what telemetry there is, and each time it comes or goes. */
export function watchSource({ source, clock, log, routerConfig }: WatchOptions): Watch {
  const problem = createProblemLog(log, "gpu problem");
  let told: string | null = null;
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      const { gpus, problems } = await source.poll();
      const names = gpus.map(({ id, name }) => `${name ?? "unknown"} (${id})`);
      const fields = { gpus: names, driver: source.driverVersion, routerConfig };
      if (told !== "") log.info(fields, "gpus found");
      told = "";
      for (const text of problems) problem({}, text);
    } catch (error) {
      const reason = (error as Error).message;
      if (told !== reason) log.warn({ reason, routerConfig }, "no telemetry, trying again");
      told = reason;
    } finally {
      looking = false;
    }
  };
  const timer = clock.every(WATCH_MS, () => void look());
  return { told: look(), stop: () => timer.cancel() };
}
