import type { Clock } from "../clock.ts";
import type { AttemptEnd } from "../failures/cooldown-view.ts";
import { Cooldowns, type CooldownOptions } from "../failures/cooldowns.ts";

/** After so long a probe makes room for another. */
const LONGEST_PROBE_MS = 30_000;

/** The product's cooldowns, with a count of the probes under way beside their own. */
export class WatchedCooldowns extends Cooldowns {
  readonly #probes = new Map<number, number>();
  readonly #lastAtMs = new Map<number, number>();
  readonly #clock: Clock;
  readonly #onBreach: (what: string) => void;

  constructor(options: CooldownOptions, onBreach: (what: string) => void) {
    super(options);
    this.#clock = options.clock;
    this.#onBreach = onBreach;
  }

  probesOf(workerIndex: number): number {
    return this.#probes.get(workerIndex) ?? 0;
  }

  get openProbes(): number {
    return [...this.#probes.values()].reduce((sum, count) => sum + count, 0);
  }

  override began(workerIndex: number): boolean {
    const isProbe = super.began(workerIndex);
    if (!isProbe) return false;
    this.#count(workerIndex, 1);
    const nowMs = this.#clock.now();
    const sinceMs = nowMs - (this.#lastAtMs.get(workerIndex) ?? -Infinity);
    this.#lastAtMs.set(workerIndex, nowMs);
    if (this.probesOf(workerIndex) > 1 && sinceMs < LONGEST_PROBE_MS) {
      this.#onBreach(`worker ${workerIndex} has ${this.probesOf(workerIndex)} probes in flight`);
    }
    return true;
  }

  override ended(workerIndex: number, end: AttemptEnd): void {
    super.ended(workerIndex, end);
    if (!end.wasProbe) return;
    this.#count(workerIndex, -1);
    if (this.probesOf(workerIndex) < 0) this.#onBreach(`a probe of ${workerIndex} ended twice`);
  }

  #count(workerIndex: number, by: number): void {
    this.#probes.set(workerIndex, this.probesOf(workerIndex) + by);
  }
}
