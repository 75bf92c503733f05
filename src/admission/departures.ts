const DEPARTURES_KEPT = 64;
/** Fewer say little: of slots that are all taken, several become free at about the same time. */
const DEPARTURES_NEEDED = 4;

/** How fast a class, or one user in it, is served: the times of the latest turns. */
export class Departures {
  readonly #timesMs: number[] = [];
  #next = 0;

  note(nowMs: number): void {
    this.#timesMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % DEPARTURES_KEPT;
  }

  /** null = too few yet. The time since the last one counts too, or a class that stands still would look fast. */
  meanIntervalMs(nowMs: number): number | null {
    const count = this.#timesMs.length;
    if (count < DEPARTURES_NEEDED) return null;
    const oldestMs = count < DEPARTURES_KEPT ? this.#timesMs[0]! : this.#timesMs[this.#next]!;
    const newestMs = this.#timesMs.at(this.#next - 1)!;
    const intervalMs = (newestMs - oldestMs) / (count - 1);
    return Math.max(intervalMs, (nowMs - oldestMs) / count);
  }
}
