import type { Clock, Timer } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Answer, Engine } from "./engines/engine.ts";
import type { Fleet } from "./fleet.ts";
import { SourcePolls } from "./source-polls.ts";
import type { GpuSource } from "./sources/source.ts";
import { WorkerChecks } from "./worker-checks.ts";
import type { EngineName, Worker } from "./worker.ts";

export interface PollerOptions {
  readonly fleet: Fleet;
  readonly sources: readonly GpuSource[];
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly askWorker: (worker: Worker, path: string) => Promise<Answer>;
  /** Our leases on a worker now, by its index. */
  readonly ownLeases: (workerIndex: number) => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly updateIntervalMs: number;
  readonly healthCheckIntervalMs: number;
  /** Of a failed source, inside one update interval. */
  readonly retry: { readonly maxRetries: number; readonly delayMs: number };
  /** 0 <= x < 1; spreads the rounds by ±10 %, so that several routers do not poll in step. */
  readonly random?: () => number;
}

/** Keeps the fleet's facts fresh. Nothing it meets stops it: failures become facts. */
export interface Poller {
  /** Resolves after the first round, or after one update interval if that is sooner. */
  start(): Promise<void>;
  /** Asks this worker soon what it is: something about it looked wrong. */
  check(workerIndex: number): void;
  /** Stops at once; answers still under way are ignored. Closes neither sources nor connections. */
  close(): Promise<void>;
}

export function createPoller(options: PollerOptions): Poller {
  const { fleet, clock, updateIntervalMs, healthCheckIntervalMs, random = Math.random } = options;
  const workers = new WorkerChecks(options);
  const sources = options.sources.map((source) => new SourcePolls(source, options));
  const timers: Timer[] = [];
  const spread = (): number => 0.9 + 0.2 * random();

  /** A round of a source may bring workers nobody knew: they are asked at once. */
  async function pollSources(): Promise<void> {
    await Promise.all(sources.map((source) => source.poll().then(() => workers.greetNew())));
  }

  async function update(): Promise<void> {
    fleet.refreshSpeeds();
    await Promise.all([pollSources(), workers.update()]);
  }

  async function checkHealth(): Promise<void> {
    await Promise.all([workers.askAll(), ...sources.map((source) => source.checkHealth())]);
  }

  return {
    async start() {
      for (const source of options.sources) fleet.addSource(source.name, source.host);
      timers.push(repeat(clock, () => updateIntervalMs * spread(), update));
      timers.push(repeat(clock, () => healthCheckIntervalMs * spread(), checkHealth));
      const firstPolls = pollSources();
      void firstPolls.then(() => sources.forEach((source) => void source.checkHealth()));
      await within(clock, updateIntervalMs, Promise.all([firstPolls, workers.greetNew()]));
    },
    check: (workerIndex) => workers.check(workerIndex),
    close() {
      for (const timer of timers) timer.cancel();
      for (const source of sources) source.close();
      workers.close();
      return Promise.resolve();
    },
  };
}

function repeat(clock: Clock, delayMs: () => number, run: () => Promise<void>): Timer {
  const arm = (): Timer =>
    clock.after(delayMs(), () => {
      timer = arm();
      void run();
    });
  let timer = arm();
  return { cancel: () => timer.cancel() };
}

async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined;
  const limit = new Promise<void>((resolve) => (timer = clock.after(limitMs, resolve)));
  await Promise.race([work, limit]);
  timer?.cancel();
}
