import type { Clock, Timer } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Fleet } from "./fleet.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { createProblemLog, type ProblemLog } from "./problem-log.ts";
import type { GpuSource, PollResult } from "./sources/source.ts";

export interface SourcePollsOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => SourcePollSettings;
}

export interface SourcePollSettings {
  /** Of a failed source, inside one update interval. */
  readonly retry: { readonly maxRetries: number; readonly delayMs: number };
}

const NO_GPUS =
  "it reports no GPU: see on that machine whether nvidia-smi lists any; until then workers are " +
  "routed without temperatures and memory";

/** Health questions to one source at a time. */
const HEALTH_LANES = 8;
/** After as many failures in one round, the next one goes on with the rest of the GPUs. */
const HEALTH_FAILURES = 16;

/** The polls of one source: never two at once, repeated within the interval when one fails. */
export class SourcePolls {
  readonly #source: GpuSource;
  readonly #options: SourcePollsOptions;
  readonly #lanes: Lanes = createLanes(HEALTH_LANES);
  readonly #problem: ProblemLog;
  #gpuIds: ReadonlySet<string> = new Set();
  #polling = false;
  #checkingHealth = false;
  #lastAsked = "";
  #retry: Timer | null = null;
  /** The latest poll lost most GPUs; only a second one is believed. */
  #doubted = false;
  #closed = false;

  constructor(source: GpuSource, options: SourcePollsOptions) {
    this.#source = source;
    this.#options = options;
    this.#problem = createProblemLog(options.log, "gpu source problem");
  }

  /** Resolves after the first try. */
  async poll(): Promise<void> {
    if (this.#polling || this.#closed) return;
    this.#retry?.cancel();
    await this.#try(this.#options.settings().retry.maxRetries);
  }

  async checkHealth(): Promise<void> {
    if (this.#checkingHealth || this.#closed) return;
    this.#checkingHealth = true;
    let failures = 0;
    const askOne = async (gpuId: string) => {
      if (this.#closed || failures >= HEALTH_FAILURES) return;
      this.#lastAsked = gpuId;
      if (!(await this.#askHealth(gpuId))) failures += 1;
    };
    const ids = [...this.#gpuIds];
    const rest = ids.splice(ids.indexOf(this.#lastAsked) + 1);
    await Promise.all([...rest, ...ids].map((gpuId) => this.#lanes(() => askOne(gpuId))));
    this.#checkingHealth = false;
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
  }

  async #try(retriesLeft: number): Promise<void> {
    this.#polling = true;
    try {
      const result = await this.#source.poll();
      if (this.#closed) return;
      if (this.#isDoubtful(result)) this.#tryAgain(retriesLeft);
      else this.#report(result);
    } catch (error) {
      if (this.#closed) return;
      this.#options.fleet.sourceFailed(this.#source.name, (error as Error).message);
      this.#tryAgain(retriesLeft);
    } finally {
      this.#polling = false;
    }
  }

  /** The next round cancels what is left of this one. */
  #tryAgain(retriesLeft: number): void {
    const { clock, settings } = this.#options;
    if (retriesLeft <= 0) return;
    this.#retry = clock.after(settings().retry.delayMs, () => void this.#try(retriesLeft - 1));
  }

  /** A monitor that restarts reports few GPUs for a moment; half a fleet does not vanish at once. */
  #isDoubtful({ gpus }: PollResult): boolean {
    const left = gpus.filter((gpu) => this.#gpuIds.has(gpu.id)).length;
    this.#doubted = !this.#doubted && left * 2 < this.#gpuIds.size;
    if (this.#doubted) {
      const fields = { source: this.#source.name, known: this.#gpuIds.size, left };
      this.#options.log.warn(fields, "most gpus vanished, polling again to be sure");
    }
    return this.#doubted;
  }

  #report({ gpus, problems, health = new Map() }: PollResult): void {
    const source = this.#source.name;
    for (const problem of problems) this.#problem({ source }, problem);
    if (gpus.length === 0) this.#problem({ source }, NO_GPUS);
    this.#gpuIds = new Set(gpus.map((gpu) => gpu.id));
    this.#options.fleet.gpusReported(source, gpus);
    for (const [gpuId, verdict] of health) {
      this.#options.fleet.healthReported(source, gpuId, verdict);
    }
  }

  async #askHealth(gpuId: string): Promise<boolean> {
    const source = this.#source.name;
    try {
      const health = await this.#source.health(gpuId);
      if (!this.#closed) this.#options.fleet.healthReported(source, gpuId, health);
      return true;
    } catch (error) {
      if (!this.#closed) this.#problem({ source }, (error as Error).message);
      return false;
    }
  }
}
