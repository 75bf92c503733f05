import type { Clock, Timer } from "../clock.ts";

export interface LineBatchOptions {
  readonly clock: Clock;
  /** A batch leaves with this many lines; */
  readonly maxLines: number;
  /** or with so many UTF-16 units of lines that are made already: only those may be long; */
  readonly maxLength: number;
  /** or once its oldest line has waited this long. */
  readonly maxWaitMs: number;
  readonly write: (lines: string) => void;
}

/** A line that is made when its batch leaves. A short one, and making it must not throw. */
export interface Unmade {
  make(): string;
}

/**
 * Lines of a busy moment, made and written together. A write each would cost more than making the
 * line, and so does making it in between: eighty in a row find the code and the tables for it in the
 * processor's caches, where one amid a request waits for them each time.
 */
export class LineBatch {
  readonly #options: LineBatchOptions;
  #lines: (string | Unmade)[] = [];
  /** Of those that are made. */
  #length = 0;
  #timer: Timer | null = null;

  constructor(options: LineBatchOptions) {
    this.#options = options;
  }

  write(line: string | Unmade): void {
    const { clock, maxLines, maxLength, maxWaitMs } = this.#options;
    this.#lines.push(line);
    if (typeof line === "string") this.#length += line.length;
    if (this.#lines.length >= maxLines || this.#length >= maxLength) this.flush();
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
    this.#lines = [];
    this.#length = 0;
    return lines.map((line) => (typeof line === "string" ? line : line.make())).join("");
  }
}
