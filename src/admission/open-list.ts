/** What can be in one OpenList at a time. */
export interface Listed {
  /** Where it stands in its list; kept by the list. Begin with 0. */
  listIndex: number;
}

/**
 * Things that are open now, in no order, for lists that every request joins and leaves. A Set costs
 * more than it shows there: each time it makes room, its old table goes on pointing at the new one,
 * so that once one has grown old, the collector takes all that follow, with what they held, for alive.
 */
export class OpenList<T extends Listed> implements Iterable<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.listIndex = this.#items.length;
    this.#items.push(item);
  }

  /** False: it is not in the list (any more). */
  remove(item: T): boolean {
    const at = item.listIndex;
    if (this.#items[at] !== item) return false;
    const last = this.#items.pop()!;
    if (last === item) return true;
    this.#items[at] = last;
    last.listIndex = at;
    return true;
  }

  /** Of those that are in it now: it may change meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.#items].values();
  }
}
