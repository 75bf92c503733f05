import { Counter, type Metric, type Registry } from "prom-client";

/**
 * Counters and histograms of the hot path. The library hashes its labels on every call, which for
 * one request costs as much as its routing; here a combination of labels is looked up in two maps,
 * counted in a plain number, and handed to the library when a scrape asks.
 */

interface CounterSpec {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly [first: string, second?: string];
}

/** Adds to the series of these label values. */
export type Count = (by: number, first: string, second?: string) => void;

export function createCounter(registry: Registry, { name, help, labels }: CounterSpec): Count {
  const series = new Map<string, Map<string, number>>();
  const [first, second] = labels;
  const counter = new Counter({
    name,
    help,
    labelNames: second === undefined ? [first] : [first, second],
    registers: [],
    collect() {
      this.reset();
      for (const [a, row] of series) {
        for (const [b, value] of row) {
          this.inc(second === undefined ? { [first]: a } : { [first]: a, [second]: b }, value);
        }
      }
    },
  });
  registry.registerMetric(counter);
  return (by, a, b = "") => {
    let row = series.get(a);
    if (!row) series.set(a, (row = new Map<string, number>()));
    row.set(b, (row.get(b) ?? 0) + by);
  };
}

interface HistogramSpec {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
}

export type Observe = (value: number, label: string) => void;

interface Observations {
  /** Per bucket, not yet summed up; the last one is above all bounds. */
  readonly counts: Float64Array;
  sum: number;
}

export function createHistogram(registry: Registry, spec: HistogramSpec): Observe {
  const { buckets } = spec;
  const series = new Map<string, Observations>();
  // All that the registry asks of a metric; the library's own histogram takes no ready-made counts.
  const metric = {
    name: spec.name,
    reset: () => series.clear(),
    get: () => Promise.resolve({ ...spec, type: "histogram", values: samples(spec, series) }),
  };
  registry.registerMetric(metric as unknown as Metric);
  return (value, label) => {
    let seen = series.get(label);
    if (!seen) {
      series.set(label, (seen = { counts: new Float64Array(buckets.length + 1), sum: 0 }));
    }
    let bucket = 0;
    while (bucket < buckets.length && value > buckets[bucket]!) bucket += 1;
    seen.counts[bucket]! += 1;
    seen.sum += value;
  };
}

function samples({ name, label, buckets }: HistogramSpec, series: Map<string, Observations>) {
  return [...series].flatMap(([value, { counts, sum }]) => {
    let count = 0;
    const perBucket = [...counts].map((inBucket, i) => {
      count += inBucket;
      const labels = { [label]: value, le: buckets[i] ?? "+Inf" };
      return { metricName: `${name}_bucket`, labels, value: count };
    });
    const labels = { [label]: value };
    return [
      ...perBucket,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  });
}
