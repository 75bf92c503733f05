import type { Clock, Timer } from "../clock.ts";

/**
 * One timer for all requests: a wheel of ticks, because a timer of its own for every request costs
 * more than the request's routing. Fires up to one tick late, never early.
 */
export const TICK_MS = 100;

interface Entry {
  tick: number;
  readonly run: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #ticks = new Map<number, Set<Entry>>();
  #done: number;
  #ticker: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#done = Math.floor(clock.now() / TICK_MS);
  }

  /** Runs at the first tick at or after `atMs` on the clock's monotonic scale. */
  at(atMs: number, run: () => void): Timer {
    if (this.#ticker === null) {
      this.#done = Math.floor(this.#clock.now() / TICK_MS);
      this.#ticker = this.#clock.every(TICK_MS, () => this.#turn());
    }
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.#done + 1);
    const entry = { tick, run };
    let entries = this.#ticks.get(tick);
    if (!entries) this.#ticks.set(tick, (entries = new Set()));
    entries.add(entry);
    return { cancel: () => this.#remove(entry) };
  }

  close(): void {
    this.#ticker?.cancel();
    this.#ticker = null;
    this.#ticks.clear();
  }

  #turn(): void {
    const now = Math.floor(this.#clock.now() / TICK_MS);
    while (this.#done < now) {
      this.#done += 1;
      const due = this.#ticks.get(this.#done);
      this.#ticks.delete(this.#done);
      for (const entry of due ?? []) entry.run();
    }
    if (this.#ticks.size === 0) {
      this.#ticker?.cancel();
      this.#ticker = null;
    }
  }

  #remove(entry: Entry): void {
    const entries = this.#ticks.get(entry.tick);
    if (!entries?.delete(entry)) return;
    if (entries.size === 0) this.#ticks.delete(entry.tick);
  }
}
