import type { Clock, Timer } from "../../src/clock.ts";

interface Pending {
  atMs: number;
  /** Ties fire in the order in which they were set. */
  order: number;
  readonly everyMs: number | null;
  readonly run: () => void;
}

/** A clock that moves only when told. Timers fire in order of their time, then of their making. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #wallStartMs: number;
  readonly #pending = new Set<Pending>();

  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.#wallStartMs = wallStartMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(Math.max(0, delayMs), null, run);
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add(periodMs, periodMs, run);
  }

  /** How many timers are set: a leak check. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let due = this.#next(untilMs); due; due = this.#next(untilMs)) this.#fire(due);
    this.#nowMs = untilMs;
  }

  /** Like advance, and lets promises settle after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let due = this.#next(untilMs); due; due = this.#next(untilMs)) {
      this.#fire(due);
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }

  #add(delayMs: number, everyMs: number | null, run: () => void): Timer {
    const pending = { atMs: this.#nowMs + delayMs, order: this.#order++, everyMs, run };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  #next(untilMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const timer of this.#pending) {
      if (timer.atMs <= untilMs && (!first || firesBefore(timer, first))) first = timer;
    }
    return first;
  }

  #fire(timer: Pending): void {
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    if (timer.everyMs === null) this.#pending.delete(timer);
    else {
      timer.atMs += timer.everyMs;
      timer.order = this.#order++;
    }
    timer.run();
  }
}

function firesBefore(a: Pending, b: Pending): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Lets every promise that can settle now do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
