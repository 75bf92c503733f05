import { label, type Exposition } from "./exposition.ts";

/**
 * Counters and histograms of the hot path. The library hashes its labels on every call, which for
 * one request costs as much as its routing; here a combination of labels is looked up in two maps,
 * and counted in a plain number.
 */

interface CounterSpec {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly [first: string, second?: string];
  /**
   * Shown from 0 on, since rate() misses the step from no series to its first value. Asked at each
   * scrape.
   */
  readonly known?: {
    readonly first: () => Iterable<string>;
    readonly second?: readonly string[];
    /** True: series with another first label are dropped, as those of workers that are gone. */
    readonly only?: boolean;
  };
}

/** Adds to the series of these label values. */
export type Count = (by: number, first: string, second?: string) => void;

type Rows = Map<string, Map<string, number>>;

export function createCounter(exposition: Exposition, spec: CounterSpec): Count {
  const { name, help, labels } = spec;
  const [first, second] = labels;
  const rows: Rows = new Map();
  exposition.register({
    name,
    help,
    type: "counter",
    read(add) {
      if (spec.known) showKnown(rows, spec.known);
      for (const [a, row] of rows) {
        const start = label(first, a);
        for (const [b, value] of row) {
          add(second === undefined ? start : `${start},${label(second, b)}`, value);
        }
      }
    },
  });
  return (by, a, b = "") => {
    let row = rows.get(a);
    if (!row) rows.set(a, (row = new Map<string, number>()));
    row.set(b, (row.get(b) ?? 0) + by);
  };
}

function showKnown(rows: Rows, known: NonNullable<CounterSpec["known"]>): void {
  const { first, second = [""], only = false } = known;
  const values = new Set(first());
  for (const a of values) {
    const row = rows.get(a) ?? new Map<string, number>();
    rows.set(a, row);
    for (const b of second) if (!row.has(b)) row.set(b, 0);
  }
  if (!only) return;
  for (const a of rows.keys()) if (!values.has(a)) rows.delete(a);
}

interface HistogramSpec {
  readonly name: string;
  readonly help: string;
  /** null: it has one series, without a label. */
  readonly label: string | null;
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  /** Values of the label that are shown before anything was observed. */
  readonly known?: readonly string[];
}

export type Observe = (value: number, label?: string) => void;

interface Observations {
  /** Per bucket, not yet summed up; the last one is above all bounds. */
  readonly counts: Float64Array;
  sum: number;
}

export function createHistogram(exposition: Exposition, spec: HistogramSpec): Observe {
  const { name, help, buckets, known = spec.label === null ? [""] : [] } = spec;
  const series = new Map<string, Observations>();
  const begin = (value: string): Observations => {
    const seen = { counts: new Float64Array(buckets.length + 1), sum: 0 };
    series.set(value, seen);
    return seen;
  };
  for (const value of known) begin(value);
  exposition.register({
    name,
    help,
    type: "histogram",
    read(add) {
      for (const [value, { counts, sum }] of series) {
        const labels = spec.label === null ? "" : label(spec.label, value);
        const start = labels === "" ? "" : `${labels},`;
        let count = 0;
        for (const [index, inBucket] of counts.entries()) {
          count += inBucket;
          add(start + label("le", String(buckets[index] ?? "+Inf")), count, "_bucket");
        }
        add(labels, sum, "_sum");
        add(labels, count, "_count");
      }
    },
  });
  return (value, of = "") => {
    const seen = series.get(of) ?? begin(of);
    let bucket = 0;
    while (bucket < buckets.length && value > buckets[bucket]!) bucket += 1;
    seen.counts[bucket]! += 1;
    seen.sum += value;
  };
}
