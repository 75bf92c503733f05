import type { Row } from "./columns.ts";

/**
 * Puts rows together to rounds: nvidia-smi prints one row per GPU, in the order of their index, and
 * then begins again without a mark in between.
 */
export class Rounds {
  readonly #onRound: (rows: readonly Row[]) => void;
  #rows: Row[] = [];
  #lastIndex = -1;
  /** Rows of the latest round. */
  #size = 1;

  constructor(onRound: (rows: readonly Row[]) => void) {
    this.#onRound = onRound;
  }

  /** A round ends with as many rows as there are GPUs, or, where one is gone, as the next begins. */
  take(row: Row): void {
    const count = Number(row.count);
    const index = /^\d+$/.test(row.index ?? "") ? Number(row.index) : null;
    // A row that does not tell its place is the next one of as many as there were.
    const begins =
      index === null ? this.#rows.length >= (count || this.#size) : index <= this.#lastIndex;
    if (begins) this.#finish();
    this.#lastIndex = index ?? this.#rows.length;
    this.#rows.push(row);
    if (this.#rows.length === count) this.#finish();
  }

  #finish(): void {
    const rows = this.#rows;
    this.#rows = [];
    this.#lastIndex = -1;
    if (rows.length === 0) return;
    this.#size = rows.length;
    this.#onRound(rows);
  }
}
