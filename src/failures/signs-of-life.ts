/**
 * When each worker last sent bytes on any connection, or answered a check. Tells a slow generation
 * (our deadline passed on a worker that is alive) from silence.
 */
export class SignsOfLife {
  readonly #seenAtMs: number[] = [];

  saw(workerIndex: number, nowMs: number): void {
    this.#seenAtMs[workerIndex] = nowMs;
  }

  since(workerIndex: number, sinceMs: number): boolean {
    return (this.#seenAtMs[workerIndex] ?? -Infinity) >= sinceMs;
  }
}
