import type { Clock, Timer } from "../clock.ts";
import type { Log } from "../log.ts";
import { EngineNotReady, WorkerUnreachable, type Answer, type Engine } from "./engines/engine.ts";
import type { Fleet } from "./fleet.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { createProblemLog, type ProblemLog } from "./problem-log.ts";
import type { EngineName, Worker, WorkerFacts, WorkerState } from "./worker.ts";

/** Who wants to hear how checks go. */
export interface CheckListener {
  /** True: its checks decide something soon, so that it is asked as often as loads are. */
  isCurious(workerIndex: number): boolean;
  /** It was asked what it is, and answered or not. */
  checked(workerIndex: number, isWell: boolean): void;
}

export interface WorkerChecksOptions {
  readonly listener?: CheckListener;
  readonly fleet: Fleet;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly askWorker: (worker: Worker, path: string) => Promise<Answer>;
  readonly ownLeases: (workerIndex: number) => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Workers asked at a time. */
const LANES = 16;
/** A worker that refuses every request must not be asked for each of them. */
const CHECK_GAP_MS = 1000;

/** Asks workers what they are and how busy they are, and tells the fleet. Never rejects. */
export class WorkerChecks {
  readonly #options: WorkerChecksOptions;
  readonly #lanes: Lanes = createLanes(LANES);
  readonly #problem: ProblemLog;
  /** Workers that are being asked, or wait for a lane. */
  readonly #asking = new Set<number>();
  readonly #greeted = new Set<number>();
  readonly #checks = new Map<number, Timer>();
  #closed = false;

  constructor(options: WorkerChecksOptions) {
    this.#options = options;
    this.#problem = createProblemLog(options.log, "worker problem");
  }

  /** One round: how busy those are that are up; the others, whether they are up by now. */
  async update(): Promise<void> {
    await this.#ask(this.#workers(), (worker) =>
      worker.state === "up" && this.#options.listener?.isCurious(worker.index) !== true
        ? this.#askLoad(worker)
        : this.#askFacts(worker),
    );
  }

  async askAll(): Promise<void> {
    const workers = this.#workers().filter((worker) => !this.#mustNotDisturb(worker));
    for (const { index } of workers) this.#greeted.add(index);
    await this.#ask(workers, (worker) => this.#askFacts(worker));
  }

  async greetNew(): Promise<void> {
    const strangers = this.#workers().filter((worker) => !this.#greeted.has(worker.index));
    for (const { index } of strangers) this.#greeted.add(index);
    await this.#ask(strangers, (worker) => this.#askFacts(worker));
  }

  check(workerIndex: number): void {
    if (this.#closed || this.#checks.has(workerIndex)) return;
    const again = this.#options.clock.after(CHECK_GAP_MS, () => this.#checks.delete(workerIndex));
    this.#checks.set(workerIndex, again);
    const worker = this.#workers().find(({ index }) => index === workerIndex);
    if (worker) void this.#ask([worker], (asked) => this.#askFacts(asked));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#checks.values()) timer.cancel();
  }

  /** Its answers to our requests show that it lives; its models can wait until it is idle. */
  #mustNotDisturb({ engine, index, state }: Worker): boolean {
    const { engines, ownLeases } = this.#options;
    return state === "up" && engines[engine].checksDisturb && ownLeases(index) > 0;
  }

  #workers(): readonly Worker[] {
    return this.#options.fleet.snapshot().workers;
  }

  async #ask(workers: readonly Worker[], how: (worker: Worker) => Promise<void>): Promise<void> {
    const idle = workers.filter(({ index }) => !this.#asking.has(index));
    for (const { index } of idle) this.#asking.add(index);
    await Promise.all(
      idle.map(async (worker) => {
        await this.#lanes(async () => {
          if (!this.#closed) await how(worker);
        });
        this.#asking.delete(worker.index);
      }),
    );
  }

  async #askFacts(worker: Worker): Promise<void> {
    const engine = this.#options.engines[worker.engine];
    try {
      const facts = await engine.facts((path) => this.#options.askWorker(worker, path));
      const loaded = worker.loadedModels === null ? nothingLoaded(engine) : {};
      this.#tell(worker, { state: "up", stateReason: null, ...loaded, ...facts });
      this.#options.listener?.checked(worker.index, true);
    } catch (error) {
      this.#failed(worker, error as Error);
      return;
    }
    await this.#askLoad(worker);
  }

  async #askLoad(worker: Worker): Promise<void> {
    const { engines, askWorker, ownLeases, clock } = this.#options;
    try {
      const told = await engines[worker.engine].load?.((path) => askWorker(worker, path));
      if (!told) return;
      const { active, loadedModels } = told;
      const now = { ownAtPoll: ownLeases(worker.index), receivedAtMs: clock.now() };
      this.#tell(worker, {
        ...(active !== undefined && { load: { active, ...now } }),
        ...(loadedModels && { loadedModels }),
      });
    } catch (error) {
      this.#failed(worker, error as Error);
    }
  }

  #failed(worker: Worker, error: Error): void {
    if (this.#closed) return;
    this.#options.listener?.checked(worker.index, false);
    const known = this.#workers().find(({ index }) => index === worker.index)?.state ?? "starting";
    const state = stateAfter(known, error);
    // A change of state is logged by the fleet.
    if (state === known) this.#problem({ workerId: worker.id }, error.message);
    if (state === "up") return;
    const gone = { load: null, ...nothingLoaded(this.#options.engines[worker.engine]) };
    this.#tell(worker, { state, stateReason: error.message, ...gone });
  }

  #tell(worker: Worker, facts: WorkerFacts): void {
    if (!this.#closed) this.#options.fleet.workerTold(worker.index, facts);
  }
}

/** Only a refusal is proof that a worker is gone: one that is slow, or answers oddly, may be busy. */
function stateAfter(known: WorkerState, error: Error): WorkerState {
  if (error instanceof EngineNotReady) return "starting";
  if (error instanceof WorkerUnreachable) return known === "starting" ? "starting" : "down";
  return known;
}

/** Until it says otherwise, an engine that loads on demand has to load first. */
function nothingLoaded(engine: Engine): WorkerFacts {
  return engine.loadsOnDemand ? { loadedModels: new Set() } : {};
}
