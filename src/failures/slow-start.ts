/** Good requests after which a worker may have twice as many at once. */
const SUCCESSES_PER_STEP = 5;
/** From one request at once to all slots, however well it goes. */
const SHORTEST_MS = 30_000;
/** The same where few requests come to show how it goes. */
const LONGEST_MS = 50_000;

/**
 * A worker that comes back is idle, and so the best choice for everybody at once. It gets one request
 * at a time, then twice as many after each step, until all its slots are in use again.
 */
export class SlowStart {
  readonly #startedAtMs: number;
  #doublings = 0;
  #steppedAtMs: number;
  #successes = 0;

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs;
    this.#steppedAtMs = nowMs;
  }

  /** When it is over at the latest. Monotonic. */
  get endsAtMs(): number {
    return this.#startedAtMs + LONGEST_MS;
  }

  succeeded(): void {
    this.#successes += 1;
  }

  /** Requests that it may have at once now, 1..slots; `slots` = the slow start is over. */
  limit(slots: number, nowMs: number): number {
    if (nowMs >= this.endsAtMs) return slots;
    const steps = Math.ceil(Math.log2(slots));
    while (this.#doublings < steps) {
      const dueAfterMs = (this.#mayStep() ? SHORTEST_MS : LONGEST_MS) / steps;
      if (nowMs - this.#steppedAtMs < dueAfterMs) break;
      this.#steppedAtMs = this.#mayStep() ? nowMs : this.#steppedAtMs + dueAfterMs;
      this.#doublings += 1;
      this.#successes = 0;
    }
    return Math.min(slots, 2 ** this.#doublings);
  }

  #mayStep(): boolean {
    return this.#successes >= SUCCESSES_PER_STEP;
  }
}
