import type { Clock } from "../../clock.ts";
import type { GpuHealth } from "../gpu.ts";
import { ComputeApps } from "./nvidia-smi/compute-apps.ts";
import { healthOf, reportedFrom } from "./nvidia-smi/read-row.ts";
import { SeenGpus, type Seen } from "./nvidia-smi/seen-gpus.ts";
import { SmiLoop, type Round } from "./nvidia-smi/smi-loop.ts";
import { readGpus } from "./read-gpus.ts";
import type { GpuSource, PollResult } from "./source.ts";

export interface NvidiaSmiOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Between two rounds of readings. */
  readonly intervalMs?: number;
  /** Program to run: found in PATH unless it is a path. */
  readonly command?: string;
}

export interface NvidiaSmi extends GpuSource {
  /** null until the first round. */
  readonly driverVersion: string | null;
}

/** Workers on this machine are told by it: `url: http://localhost:…` with `gpus: auto`. */
const HOST = "localhost";

const DEFAULT_INTERVAL_MS = 2000;
/** Readings older than so many intervals are none. */
const STALE_INTERVALS = 5;
const LEAST_STALE_MS = 5000;
/** Longest wait of a poll for the first round: those who ask over HTTP wait 2 s. */
const FIRST_ROUND_MS = 1500;
/** So long after its latest uncorrected ECC error a GPU gets no new work. */
const ECC_RECENT_MS = 600_000;

/**
 * GPU telemetry of this machine, from the driver's own `nvidia-smi`, which runs from the first poll
 * until close.
 */
export function createNvidiaSmi(options: NvidiaSmiOptions): NvidiaSmi {
  const { name, clock, intervalMs = DEFAULT_INTERVAL_MS, command = "nvidia-smi" } = options;
  return new NvidiaSmiSource({ name, clock, intervalMs, command });
}

class NvidiaSmiSource implements NvidiaSmi {
  readonly name: string;
  readonly host = HOST;
  readonly #clock: Clock;
  readonly #staleMs: number;
  readonly #loop: SmiLoop;
  readonly #computeApps: ComputeApps;
  readonly #gpus = new SeenGpus();
  #roundAtMs = -Infinity;
  #failure: string | null = null;
  #started = false;
  #closed = false;
  #news = Promise.withResolvers<void>();

  constructor({ name, clock, command, intervalMs }: Required<NvidiaSmiOptions>) {
    this.name = name;
    this.#clock = clock;
    this.#staleMs = Math.max(LEAST_STALE_MS, intervalMs * STALE_INTERVALS);
    this.#computeApps = new ComputeApps({ clock, command });
    this.#loop = new SmiLoop({
      clock,
      command,
      intervalMs,
      silenceMs: this.#staleMs,
      onRound: (round) => this.#take(round),
      onFailure: (reason) => this.#fail(reason),
      idsWithout: (busId, wasWhole) => this.#gpus.loseOne(busId, wasWhole),
    });
  }

  get driverVersion(): string | null {
    return this.#gpus.driverVersion;
  }

  async poll(): Promise<PollResult> {
    await this.#current();
    this.#computeApps.refresh();
    const seen = [...this.#gpus.all()];
    const reported = seen.map(([id, { row }]) => reportedFrom(row, id, this.#computeApps.on(id)));
    const { gpus, problems } = readGpus({ gpus: reported });
    const partitioned = seen.filter(([, { row }]) => row.migMode === "Enabled");
    const mig = partitioned.map(([id]) => `${id}: ${MIG_IS_ON}`);
    const apps = this.#computeApps.problem;
    return {
      // The check of GET /gpus takes unknown processes for none.
      gpus: gpus.map((gpu) => (this.#computeApps.on(gpu.id) ? gpu : { ...gpu, processes: null })),
      problems: [...problems, ...mig, ...(apps === null ? [] : [apps])],
      health: new Map(seen.map(([id, one]) => [id, this.#healthOf(one)])),
    };
  }

  async health(gpuId: string): Promise<GpuHealth | null> {
    await this.#current();
    const seen = this.#gpus.get(gpuId);
    return seen === undefined ? null : this.#healthOf(seen);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#fail("nvidia-smi is no longer read: its source was closed");
    this.#computeApps.close();
    await this.#loop.close();
  }

  #healthOf({ row, eccRoseAtMs }: Seen): GpuHealth {
    return healthOf(row, this.#clock.now() - eccRoseAtMs < ECC_RECENT_MS);
  }

  /** Resolves once there is a round that is fresh enough; rejects with why there is none. */
  async #current(): Promise<void> {
    if (!this.#started && !this.#closed) {
      this.#started = true;
      this.#loop.start();
    }
    if (!this.#isFresh() && this.#failure === null) await this.#nextNews();
    if (!this.#isFresh()) throw new Error(this.#failure ?? NOTHING_YET);
  }

  #isFresh(): boolean {
    return !this.#closed && this.#clock.now() - this.#roundAtMs <= this.#staleMs;
  }

  async #nextNews(): Promise<void> {
    const { promise } = this.#news;
    const waited = Promise.withResolvers<void>();
    const timer = this.#clock.after(FIRST_ROUND_MS, waited.resolve);
    await Promise.race([promise, waited.promise]);
    timer.cancel();
  }

  #take(round: Round): void {
    this.#gpus.take(round, this.#clock.now());
    this.#roundAtMs = this.#clock.now();
    this.#failure = null;
    this.#tell();
  }

  #fail(reason: string): void {
    this.#failure = reason;
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }
}

/** Why a poll rejects while the program runs and has neither printed nor failed. */
export const NOTHING_YET =
  "nvidia-smi has printed no readings yet; with persistence mode (nvidia-smi -pm 1) the driver " +
  "answers at once";

const MIG_IS_ON =
  "MIG is on: its instances are reported as one GPU, and its utilization is unknown";
