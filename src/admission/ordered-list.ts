/** What can be in one OrderedList at a time. */
export interface Linked<T> {
  /** Its neighbours; kept by the list. Begin with null. */
  previous: T | null;
  next: T | null;
}

/**
 * A list in order, for items that come nearly in order: to add at the end, and to remove anything,
 * costs the same however long it is. In a heap each of them would move many others.
 */
export class OrderedList<T extends Linked<T>> {
  readonly #before: (a: T, b: T) => boolean;
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  /** `before`: whether a comes before b. */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#size;
  }

  get first(): T | null {
    return this.#first;
  }

  add(item: T): void {
    let previous = this.#last;
    while (previous && this.#before(item, previous)) ({ previous } = previous);
    const next = previous ? previous.next : this.#first;
    this.#link(previous, item);
    this.#link(item, next);
    this.#size += 1;
  }

  /** Of an item that is in it. */
  remove(item: T): void {
    this.#link(item.previous, item.next);
    item.previous = null;
    item.next = null;
    this.#size -= 1;
  }

  /** null = the end of the list. */
  #link(previous: T | null, next: T | null): void {
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
  }
}
