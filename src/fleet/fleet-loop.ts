import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { createAskWorkers } from "./engines/ask-worker.ts";
import { engines } from "./engines/engines.ts";
import { Fleet } from "./fleet.ts";
import { createPoller, type PollSettings } from "./poller.ts";
import { openSource, type SourceSpec } from "./sources/open-source.ts";
import type { GpuSource } from "./sources/source.ts";
import { createSpeedBook, type SpeedBook } from "./speed.ts";
import type { CheckListener } from "./worker-checks.ts";
import type { Worker, WorkerSpec } from "./worker.ts";

export interface FleetLoopDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Our leases on a worker now, by its index. */
  readonly ownLeases: (workerIndex: number) => number;
  readonly listener?: CheckListener;
  /** Over HTTP where it is left out; the simulator has another. */
  readonly network?: FleetNetwork;
  /** 0 <= x < 1; spreads the rounds of polls. */
  readonly random?: () => number;
}

/** Who is asked for facts. */
export interface FleetNetwork {
  readonly openSource: typeof openSource;
  readonly askWorkers: typeof createAskWorkers;
}

const HTTP: FleetNetwork = { openSource, askWorkers: createAskWorkers };

export interface FleetSettings extends PollSettings {
  readonly workers: readonly WorkerSpec[];
  readonly workerHosts: readonly string[];
  readonly maxTemperatureC: number;
  /** Each once. */
  readonly sources: readonly SourceSpec[];
}

/** The loop of facts: sources and workers are polled, and the fleet's snapshot is replaced. */
export interface FleetLoop {
  readonly fleet: Fleet;
  readonly speeds: SpeedBook;
  /** Resolves after the first round of polls. */
  start(): Promise<void>;
  /** After the settings have changed: takes up workers and sources, and asks everybody at once. */
  reconfigured(): void;
  /** Asks this worker soon what it is: something about it looked wrong. */
  check(workerIndex: number): void;
  /** Whether the worker answers anything at all, asked now. */
  isAlive(worker: Worker): Promise<boolean>;
  close(): Promise<void>;
}

/** `settings` are asked anew when `reconfigured` is called; intervals and retries at each use. */
export function createFleetLoop(deps: FleetLoopDeps, settings: () => FleetSettings): FleetLoop {
  const { clock, log, network = HTTP } = deps;
  const speeds = createSpeedBook();
  const fleet = new Fleet({ ...settings(), clock, log, engines, speeds });
  const openSources = (open: Sources): Sources =>
    new Map(
      settings().sources.map((spec) => {
        const key = JSON.stringify(spec);
        return [key, open.get(key) ?? network.openSource(spec, clock)];
      }),
    );
  let sources = openSources(new Map());
  const workers = network.askWorkers({ clock });
  const poller = createPoller({
    ...deps,
    settings,
    fleet,
    sources: () => [...sources.values()],
    engines,
    askWorker: (worker, path) => workers.ask(worker, path),
  });
  return {
    fleet,
    speeds,
    start: () => poller.start(),
    reconfigured() {
      const before = sources;
      sources = openSources(before);
      fleet.reconfigure(settings());
      poller.reconfigured();
      for (const [key, source] of before) if (!sources.has(key)) void source.close();
    },
    check: (workerIndex) => poller.check(workerIndex),
    isAlive: shared((worker) =>
      workers.ask(worker, "/health").then(
        () => true,
        () => false,
      ),
    ),
    async close() {
      await poller.close();
      await Promise.all([workers.close(), ...[...sources.values()].map((s) => s.close())]);
    },
  };
}

/** Many requests can meet a dead worker at once: it is asked once for all of them. */
function shared(ask: FleetLoop["isAlive"]): FleetLoop["isAlive"] {
  const asking = new Map<number, Promise<boolean>>();
  return (worker) => {
    const { index } = worker;
    const known = asking.get(index);
    if (known) return known;
    const answer = ask(worker).finally(() => asking.delete(index));
    asking.set(index, answer);
    return answer;
  };
}

/** By what the operator says of them; those that are still wanted stay as they are. */
type Sources = ReadonlyMap<string, GpuSource>;
