/** Into how many slices a window is cut: what it holds may count longer by one of them. */
export const SLICES = 60;

/**
 * Units counted by the slice of time they came in. A slice counts wholly until its last moment has
 * left the window, so no window of the full length ever holds more than was counted.
 */
export class SlidingWindow {
  /** Only slices with units in them, oldest first: most users fill few, and there may be many users. */
  readonly #slices: number[] = [];
  readonly #units: number[] = [];
  #total = 0;

  /** Units in the window that ends in this slice. Slices must not go back. */
  usedAt(slice: number): number {
    while (this.#slices.length > 0 && this.#slices[0]! < slice - SLICES) {
      this.#slices.shift();
      this.#total -= this.#units.shift()!;
    }
    return this.#total;
  }

  add(slice: number, units: number): void {
    const last = this.#slices.length - 1;
    if (this.#slices[last] === slice) this.#units[last]! += units;
    else {
      this.#slices.push(slice);
      this.#units.push(units);
    }
    this.#total += units;
  }

  /** Nothing, where that slice has left the window: its units count no more. */
  takeBack(slice: number, units: number): void {
    const at = this.#slices.lastIndexOf(slice);
    if (at === -1) return;
    this.#total -= units;
    this.#units[at]! -= units;
    if (this.#units[at] !== 0) return;
    this.#slices.splice(at, 1);
    this.#units.splice(at, 1);
  }

  /** The slice with whose leaving this many units have gone; null = there are not so many. */
  sliceFreeing(units: number): number | null {
    let freed = 0;
    for (const [at, slice] of this.#slices.entries()) {
      freed += this.#units[at]!;
      if (freed >= units) return slice;
    }
    return null;
  }

  /** The latest slice with units in it; null = the window is empty. */
  get lastSlice(): number | null {
    return this.#slices.at(-1) ?? null;
  }
}
