import type { AttemptEnd } from "../failures/cooldown-view.ts";
import { Cooldowns, type CooldownOptions } from "../failures/cooldowns.ts";

/** The product's cooldowns, with a count of the probes under way beside their own. */
export class WatchedCooldowns extends Cooldowns {
  readonly #probes = new Map<number, number>();
  readonly #onBreach: (what: string) => void;

  constructor(options: CooldownOptions, onBreach: (what: string) => void) {
    super(options);
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
    if (isProbe) this.#count(workerIndex, 1);
    if (this.probesOf(workerIndex) > 1) {
      this.#onBreach(`worker ${workerIndex} has ${this.probesOf(workerIndex)} probes in flight`);
    }
    return isProbe;
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
