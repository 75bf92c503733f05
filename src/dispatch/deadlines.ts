import { OpenList, type Listed } from "../admission/open-list.ts";
import type { Clock, Timer } from "../clock.ts";

/**
 * One timer for all requests: a wheel of ticks, because a timer of its own for every request costs
 * more than the request's routing. Fires up to one tick late, never early.
 */
export const TICK_MS = 100;

/**
 * The process stood still so long, as while it was stopped or the machine slept: answers may lie in
 * the sockets. They are read first, and what is due is looked at one tick later.
 */
const STANDSTILL_MS = 5000;

/** A class, and no closure to cancel it by: there is one for every request. */
class Entry implements Listed, Timer {
  listIndex = 0;
  readonly tick: number;
  readonly run: () => void;
  readonly #ticks: Ticks;

  constructor(tick: number, run: () => void, ticks: Ticks) {
    this.tick = tick;
    this.run = run;
    this.#ticks = ticks;
  }

  cancel(): void {
    const entries = this.#ticks.get(this.tick);
    if (!entries?.remove(this)) return;
    if (entries.size === 0) this.#ticks.delete(this.tick);
  }
}

type Ticks = Map<number, OpenList<Entry>>;

export class Deadlines {
  readonly #clock: Clock;
  readonly #ticks = new Map<number, OpenList<Entry>>();
  #done: number;
  #ticker: Timer | null = null;
  #turnedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#done = Math.floor(clock.now() / TICK_MS);
  }

  /** Runs at the first tick at or after `atMs` on the clock's monotonic scale. */
  at(atMs: number, run: () => void): Timer {
    if (this.#ticker === null) {
      this.#turnedAtMs = this.#clock.now();
      this.#done = Math.floor(this.#turnedAtMs / TICK_MS);
      this.#armTicker();
    }
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.#done + 1);
    const entry = new Entry(tick, run, this.#ticks);
    let entries = this.#ticks.get(tick);
    if (!entries) this.#ticks.set(tick, (entries = new OpenList()));
    entries.add(entry);
    return entry;
  }

  close(): void {
    this.#ticker?.cancel();
    this.#ticker = null;
    this.#ticks.clear();
  }

  /** On the tick itself: a turn between two ticks would be late by up to one more. */
  #armTicker(): void {
    const delayMs = TICK_MS - (this.#clock.now() % TICK_MS);
    this.#ticker = this.#clock.after(delayMs, () => this.#turn());
  }

  #turn(): void {
    this.#armTicker();
    const nowMs = this.#clock.now();
    const stoodStill = nowMs - this.#turnedAtMs > STANDSTILL_MS;
    this.#turnedAtMs = nowMs;
    if (stoodStill) return;
    const now = Math.floor(nowMs / TICK_MS);
    while (this.#done < now) {
      this.#done += 1;
      this.#fire(this.#done);
    }
    if (this.#ticks.size === 0) {
      this.#ticker?.cancel();
      this.#ticker = null;
    }
  }

  /** One by one, because one may cancel others of its tick. */
  #fire(tick: number): void {
    const due = this.#ticks.get(tick);
    if (!due) return;
    for (const entry of due) if (due.remove(entry)) entry.run();
    this.#ticks.delete(tick);
  }
}
