import type { Clock, Timer } from "../clock.ts";

export interface LineBatchOptions {
  readonly clock: Clock;
  /** A batch leaves at this length, in UTF-16 units; */
  readonly maxLength: number;
  /** or once its oldest line has waited this long. */
  readonly maxWaitMs: number;
  readonly write: (lines: string) => void;
}

/**
 * Lines of a busy moment, to be written together: a write each costs more than making the line. The
 * logging library's own batches look at everything that they hold for every line that they take.
 */
export class LineBatch {
  readonly #options: LineBatchOptions;
  #lines = "";
  #timer: Timer | null = null;

  constructor(options: LineBatchOptions) {
    this.#options = options;
  }

  write(line: string): void {
    const { clock, maxLength, maxWaitMs } = this.#options;
    this.#lines += line;
    if (this.#lines.length >= maxLength) this.flush();
    else this.#timer ??= clock.after(maxWaitMs, () => this.flush());
  }

  flush(): void {
    const lines = this.take();
    if (lines !== "") this.#options.write(lines);
  }

  /** Gives what is there to the caller, and forgets it. */
  take(): string {
    this.#timer?.cancel();
    this.#timer = null;
    const lines = this.#lines;
    this.#lines = "";
    return lines;
  }
}
