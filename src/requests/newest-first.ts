/** Whatever has a number that grows with each one made. */
export interface Numbered {
  readonly sequence: number;
}

/**
 * Keeps items in the order of their making, to be read from the newest back, from any point on.
 * Removing one leaves a gap, because closing each at once would move all that follow.
 */
export class NewestFirst<T extends Numbered> {
  #slots: { readonly sequence: number; item: T | null }[] = [];
  #gaps = 0;

  get size(): number {
    return this.#slots.length - this.#gaps;
  }

  /** Slots in memory, gaps included: at most twice the size. */
  get room(): number {
    return this.#slots.length;
  }

  /** Its number must be higher than all before. */
  add(item: T): void {
    this.#slots.push({ sequence: item.sequence, item });
  }

  remove({ sequence }: T): void {
    const slot = this.#slots[this.#firstFrom(sequence)];
    if (slot?.sequence !== sequence || slot.item === null) return;
    slot.item = null;
    this.#gaps += 1;
    if (this.#gaps <= this.#slots.length / 2) return;
    this.#slots = this.#slots.filter((one) => one.item !== null);
    this.#gaps = 0;
  }

  /** Those made before the one with this number, newest first. */
  *before(sequence: number): Iterable<T> {
    for (let at = this.#firstFrom(sequence) - 1; at >= 0; at--) {
      const item = this.#slots[at]?.item ?? null;
      if (item !== null) yield item;
    }
  }

  /** Where the first stands that is not older than this number: binary search. */
  #firstFrom(sequence: number): number {
    let [low, high] = [0, this.#slots.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#slots[middle]!.sequence < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
