/** Enough for the processor's caches to be warm for nearly all of them. */
const ROW = 64;

/**
 * What nobody waits for, done for many in a row: amid a request, the code and the tables for it must
 * first come back into the processor's caches, which takes several times as long as the work. Whoever
 * looks at the outcome calls `catchUp` first.
 */
export class InRows<T> {
  readonly #work: (item: T) => void;
  #waiting: T[] = [];

  constructor(work: (item: T) => void) {
    this.#work = work;
  }

  /** The item must not change afterwards. */
  add(item: T): void {
    this.#waiting.push(item);
    if (this.#waiting.length >= ROW) this.catchUp();
  }

  catchUp(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) this.#work(item);
  }
}
