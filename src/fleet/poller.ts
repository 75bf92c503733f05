import type { Clock, Timer } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Answer, Engine } from "./engines/engine.ts";
import type { Fleet } from "./fleet.ts";
import { PolledSources } from "./polled-sources.ts";
import type { SourcePollSettings } from "./source-polls.ts";
import type { GpuSource } from "./sources/source.ts";
import { WorkerChecks, type CheckListener } from "./worker-checks.ts";
import type { EngineName, Worker } from "./worker.ts";

export interface PollSettings extends SourcePollSettings {
  readonly updateIntervalMs: number;
  readonly healthCheckIntervalMs: number;
}

export interface PollerOptions {
  readonly fleet: Fleet;
  readonly sources: () => readonly GpuSource[];
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly askWorker: (worker: Worker, path: string) => Promise<Answer>;
  /** Our leases on a worker now, by its index. */
  readonly ownLeases: (workerIndex: number) => number;
  readonly listener?: CheckListener;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => PollSettings;
  /** 0 <= x < 1; spreads the rounds by ±10 %, so that several routers do not poll in step. */
  readonly random?: () => number;
}

/** Keeps the fleet's facts fresh. Nothing it meets stops it: failures become facts. */
export interface Poller {
  /** Resolves after the first round, or after one update interval if that is sooner. */
  start(): Promise<void>;
  /**
   * After the settings, the sources or the fleet's workers have changed: asks everybody at once. A
   * source that was polled before goes on as it was.
   */
  reconfigured(): void;
  /** Asks this worker soon what it is: something about it looked wrong. */
  check(workerIndex: number): void;
  /** Stops at once; answers still under way are ignored. Closes neither sources nor connections. */
  close(): Promise<void>;
}

export function createPoller(options: PollerOptions): Poller {
  const { fleet, clock, settings, random = Math.random } = options;
  const workers = new WorkerChecks(options);
  const sources = new PolledSources(options);
  let timers: readonly Timer[] = [];
  let isRunning = false;
  const spread = (): number => 0.9 + 0.2 * random();

  /** A round of a source may bring workers nobody knew: they are asked at once. */
  const pollSources = (): Promise<void> =>
    sources.poll(() => workers.greetNew()).then(() => fleet.tellUnknownGpus());

  async function update(): Promise<void> {
    fleet.refreshSpeeds();
    await Promise.all([pollSources(), workers.update()]);
  }

  async function checkHealth(): Promise<void> {
    await Promise.all([workers.askAll(), sources.checkHealth()]);
  }

  /** Resolves with the sources' first answers; their GPUs can be asked for their health then. */
  function begin(): Promise<void> {
    sources.replace(options.sources());
    startTimers();
    const firstPolls = pollSources();
    void firstPolls.then(() => sources.checkHealth());
    return firstPolls;
  }

  function startTimers(): void {
    for (const timer of timers) timer.cancel();
    timers = [
      repeat(clock, () => settings().updateIntervalMs * spread(), update),
      repeat(clock, () => settings().healthCheckIntervalMs * spread(), checkHealth),
    ];
  }

  return {
    async start() {
      isRunning = true;
      const firstAnswers = Promise.all([begin(), workers.greetNew()]);
      await within(clock, settings().updateIntervalMs, firstAnswers);
    },
    reconfigured() {
      if (!isRunning) return;
      void begin();
      void workers.askAll();
    },
    check: (workerIndex) => workers.check(workerIndex),
    close() {
      isRunning = false;
      for (const timer of timers) timer.cancel();
      sources.close();
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
