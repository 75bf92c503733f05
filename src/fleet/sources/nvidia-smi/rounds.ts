import type { Row } from "./columns.ts";

/**
 * Puts rows together to rounds: nvidia-smi prints one row per GPU, in the order of their index, and
 * then begins again without a mark in between.
 */
export class Rounds {
  readonly #onRound: (rows: readonly Row[]) => void;
  #rows: Row[] = [];
  #lastIndex = -1;

  constructor(onRound: (rows: readonly Row[]) => void) {
    this.#onRound = onRound;
  }

  /** A round ends with as many rows as there are GPUs, or, where one is gone, as the next begins. */
  take(row: Row): void {
    const index = /^\d+$/.test(row.index ?? "") ? Number(row.index) : this.#lastIndex + 1;
    if (index <= this.#lastIndex) this.#finish();
    this.#rows.push(row);
    this.#lastIndex = index;
    if (this.#rows.length === Number(row.count)) this.#finish();
  }

  #finish(): void {
    const rows = this.#rows;
    this.#rows = [];
    this.#lastIndex = -1;
    if (rows.length > 0) this.#onRound(rows);
  }
}
