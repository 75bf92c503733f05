/**
 * A worker that dies has all its slots free at once, and would draw what comes next: so it gets nothing
 * until it has answered a check, or so long.
 */
const SUSPECT_MS = 1000;

/** Moments in which a worker gets nothing, although nothing is held against it. */
export class Pause {
  #busyUntilMs = 0;
  #suspectedUntilMs = 0;
  #busyReason = "";
  #suspicion = "";

  /** Monotonic; what is past is over. */
  get untilMs(): number {
    return Math.max(this.#busyUntilMs, this.#suspectedUntilMs);
  }

  /** Of the one that lasts longer. */
  get reason(): string {
    return this.#busyUntilMs > this.#suspectedUntilMs ? this.#busyReason : this.#suspicion;
  }

  /** It said that it is too busy; a shorter wait than before does not shorten that one. */
  busy(untilMs: number, reason: string): void {
    this.#busyUntilMs = Math.max(this.#busyUntilMs, untilMs);
    this.#busyReason = reason;
  }

  /** It may be dead. */
  suspect(nowMs: number, reason: string): void {
    this.#suspectedUntilMs = nowMs + SUSPECT_MS;
    this.#suspicion = reason;
  }

  /** It is alive. */
  trust(): void {
    this.#suspectedUntilMs = 0;
  }
}
