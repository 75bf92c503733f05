import type { Worker } from "./worker.ts";

/**
 * How fast each worker generates, learnt from answers. Tokens per second of one request fall as the
 * batch grows, so each sample is corrected to a batch of one: otherwise a busy worker would look
 * slow, and its load would be counted twice.
 */

/** What one finished answer tells. */
export interface SpeedSample {
  readonly workerIndex: number;
  readonly model: string;
  readonly tokens: number;
  readonly durationMs: number;
  /** Requests in the worker while this one ran, itself included; at least 1. */
  readonly concurrency: number;
}

/** Immutable, part of a snapshot. */
export interface RelativeSpeeds {
  /** Relative to the fleet's median for this model, 0.2..5; 1 = nothing known. */
  of(workerIndex: number, model: string): number;
}

export interface SpeedBook {
  observe(sample: SpeedSample): void;
  relativeTo(workers: readonly Worker[]): RelativeSpeeds;
  /** Smoothed tokens per second at a batch of one; null = no sample yet. */
  tokensPerSecond(workerIndex: number, model: string): number | null;
}

/** performance_index counts as this many samples. */
const PRIOR_SAMPLES = 20;
/** Older samples fade: a new one weighs at least one part in this many. */
const MEMORY_SAMPLES = 100;
/** Workers count the tokens; what no machine does is a slip, and must not poison the means. */
const LEAST_MS_PER_TOKEN = 1e-4;
const MOST_MS_PER_TOKEN = 1e7;
const SLOWEST = 0.2;
const FASTEST = 5;
/** Growth of the step time per request in the batch, until the samples show another one. */
const PRIOR_SLOPE = 0.02;
/** Variance of concurrency (requests²) at which samples and prior slope weigh the same. */
const SLOPE_TRUST_VARIANCE = 16;

/** Exponentially weighted means of ms per token (t) and concurrency (n), for a line t = a + b·n. */
class StepTime {
  /** All of them: capped, the prior would keep a sixth of the weight for ever. */
  samples = 0;
  #t = 0;
  #n = 0;
  #varianceN = 0;
  #covariance = 0;

  add(msPerToken: number, concurrency: number): void {
    this.samples += 1;
    const weight = 1 / Math.min(this.samples, MEMORY_SAMPLES);
    const dT = msPerToken - this.#t;
    const dN = concurrency - this.#n;
    this.#t += weight * dT;
    this.#n += weight * dN;
    this.#varianceN = (1 - weight) * (this.#varianceN + weight * dN * dN);
    this.#covariance = (1 - weight) * (this.#covariance + weight * dN * dT);
  }

  /** The line's value at a batch of one, kept within the fivefold of the mean. */
  tokensPerSecondAlone(): number {
    const prior = SLOPE_TRUST_VARIANCE * PRIOR_SLOPE * (this.#t / (1 + PRIOR_SLOPE * this.#n));
    const slope = (this.#covariance + prior) / (this.#varianceN + SLOPE_TRUST_VARIANCE);
    const alone = this.#t - Math.max(0, slope) * (this.#n - 1);
    return 1000 / Math.max(alone, this.#t / FASTEST);
  }
}

export function createSpeedBook(): SpeedBook {
  const byModel = new Map<string, Map<number, StepTime>>();
  return {
    observe({ workerIndex, model, tokens, durationMs, concurrency }) {
      const msPerToken = durationMs / tokens;
      if (!(msPerToken >= LEAST_MS_PER_TOKEN && msPerToken <= MOST_MS_PER_TOKEN)) return;
      let workers = byModel.get(model);
      if (!workers) byModel.set(model, (workers = new Map<number, StepTime>()));
      let stepTime = workers.get(workerIndex);
      if (!stepTime) workers.set(workerIndex, (stepTime = new StepTime()));
      stepTime.add(msPerToken, Math.max(1, concurrency));
    },
    relativeTo(workers) {
      const priors = relativeToMedian(workers.map(performanceIndex));
      const unmeasured = toIndexed(workers, priors);
      const measured = new Map<string, Float64Array>();
      for (const [model, stepTimes] of byModel) {
        const speeds = workers.map((worker, i) => estimate(stepTimes, worker, priors[i] ?? 1));
        const blended = blendWithPriors(speeds, priors);
        measured.set(model, toIndexed(workers, relativeToMedian(blended)));
      }
      return { of: (index, model) => (measured.get(model) ?? unmeasured)[index] ?? 1 };
    },
    tokensPerSecond(workerIndex, model) {
      return byModel.get(model)?.get(workerIndex)?.tokensPerSecondAlone() ?? null;
    },
  };
}

interface Estimate {
  readonly tokensPerSecond: number;
  readonly samples: number;
  /** What one unit of prior speed is worth in tokens per second, by this worker. */
  readonly scale: number;
}

function estimate(
  stepTimes: ReadonlyMap<number, StepTime>,
  worker: Worker,
  prior: number,
): Estimate | null {
  const stepTime = stepTimes.get(worker.index);
  if (!stepTime) return null;
  const tokensPerSecond = stepTime.tokensPerSecondAlone();
  return { tokensPerSecond, samples: stepTime.samples, scale: tokensPerSecond / prior };
}

/** A worker without samples gets its prior, in the unit that the measured ones suggest. */
function blendWithPriors(
  estimates: readonly (Estimate | null)[],
  priors: readonly number[],
): number[] {
  const scale = median(estimates.flatMap((e) => (e ? [e.scale] : []))) ?? 1;
  return estimates.map((e, i) => {
    const prior = (priors[i] ?? 1) * scale;
    if (!e) return prior;
    return (PRIOR_SAMPLES * prior + e.samples * e.tokensPerSecond) / (PRIOR_SAMPLES + e.samples);
  });
}

function performanceIndex(worker: Worker): number | null {
  const known = worker.gpus.flatMap((gpu) => gpu.performanceIndex ?? []);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

function relativeToMedian(values: readonly (number | null)[]): number[] {
  const middle = median(values.filter((value) => value !== null && value > 0) as number[]);
  return values.map((value) => {
    if (value === null || middle === null) return 1;
    return Math.min(FASTEST, Math.max(SLOWEST, value / middle));
  });
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

function toIndexed(workers: readonly Worker[], values: readonly number[]): Float64Array {
  const highest = workers.reduce((max, worker) => Math.max(max, worker.index), -1);
  const indexed = new Float64Array(highest + 1).fill(1);
  workers.forEach((worker, i) => (indexed[worker.index] = values[i] ?? 1));
  return indexed;
}
