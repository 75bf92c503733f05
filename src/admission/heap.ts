/** What can be in one heap at a time. */
export interface Heaped {
  /** Where it stands in its heap; -1 = in none. Kept by the heap; begin with -1. */
  heapIndex: number;
}

/** A binary heap whose items know their place, so that any of them can leave or move at once. */
export class Heap<T extends Heaped> implements Iterable<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #items: T[] = [];

  /** `before`: whether a comes before b; an order without ties keeps results the same everywhere. */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The item that comes before all others. */
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    item.heapIndex = this.#items.length;
    this.#items.push(item);
    this.#rise(item);
  }

  remove(item: T): void {
    const at = item.heapIndex;
    if (this.#items[at] !== item) return;
    const last = this.#items.pop()!;
    item.heapIndex = -1;
    if (last === item) return;
    this.#put(last, at);
    this.moved(last);
  }

  /** Call after what the order depends on has changed for an item. */
  moved(item: T): void {
    this.#rise(item);
    this.#sink(item);
  }

  /** In no order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }

  #rise(item: T): void {
    let at = item.heapIndex;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#items[parentAt]!;
      if (!this.#before(item, parent)) break;
      this.#put(parent, at);
      at = parentAt;
    }
    this.#put(item, at);
  }

  #sink(item: T): void {
    let at = item.heapIndex;
    for (;;) {
      const childAt = this.#firstChildOf(at);
      const child = this.#items[childAt];
      if (!child || !this.#before(child, item)) break;
      this.#put(child, at);
      at = childAt;
    }
    this.#put(item, at);
  }

  #firstChildOf(at: number): number {
    const left = 2 * at + 1;
    const a = this.#items[left];
    const b = this.#items[left + 1];
    return a && b && this.#before(b, a) ? left + 1 : left;
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    item.heapIndex = at;
  }
}
