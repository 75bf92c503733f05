/**
 * A list that can be awaited. Nothing is missed and nothing has to be slept for: the nth `next()`
 * is the nth arrival, whether it came already or comes later.
 */
export class Arrivals<T> {
  readonly #all: T[] = [];
  readonly #waiters: { readonly count: number; readonly wake: () => void }[] = [];
  #taken = 0;

  get all(): readonly T[] {
    return this.#all;
  }

  add(item: T): void {
    this.#all.push(item);
    for (const waiter of [...this.#waiters]) {
      if (waiter.count > this.#all.length) continue;
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.wake();
    }
  }

  async next(): Promise<T> {
    const index = this.#taken++;
    await this.seen(index + 1);
    return this.#all[index] as T;
  }

  /** Resolves once `count` have come since the start. */
  seen(count: number): Promise<void> {
    if (this.#all.length >= count) return Promise.resolve();
    return new Promise((wake) => {
      this.#waiters.push({ count, wake });
    });
  }
}
