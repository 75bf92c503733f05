import type { Clock } from "../clock.ts";
import { createProblemLog } from "../fleet/problem-log.ts";
import { NOTHING_YET, type NvidiaSmi } from "../fleet/sources/nvidia-smi.ts";
import type { PollResult } from "../fleet/sources/source.ts";
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
/** Polls of one look: a driver that wakes up may need longer than one waits. */
const WAKING_POLLS = 6;

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
      const { gpus, problems } = await awakened(source);
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

async function awakened(source: NvidiaSmi): Promise<PollResult> {
  for (let polls = 1; ; polls += 1) {
    try {
      return await source.poll();
    } catch (error) {
      if (polls === WAKING_POLLS || (error as Error).message !== NOTHING_YET) throw error;
    }
  }
}
