import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSpeedBook, type SpeedBook } from "../../../src/fleet/speed.ts";
import { gpu, workerAt } from "../../support/fleet-builders.ts";

const MODEL = "llama";

/** A worker whose step takes `aloneMs` for one request, and `slope` of that more for each other. */
interface SimulatedWorker {
  readonly aloneMs: number;
  readonly slope: number;
  readonly concurrency: (sample: number) => number;
}

function observeAnswers(book: SpeedBook, workers: readonly SimulatedWorker[], samples: number) {
  for (let sample = 0; sample < samples; sample++) {
    workers.forEach((worker, workerIndex) => {
      const concurrency = worker.concurrency(sample);
      const stepMs = worker.aloneMs * (1 + worker.slope * (concurrency - 1));
      const tokens = 50 + (sample % 7) * 20;
      book.observe({ workerIndex, model: MODEL, tokens, durationMs: stepMs * tokens, concurrency });
    });
  }
}

function between(least: number, most: number): (sample: number) => number {
  return (sample) => least + ((sample * 7) % (most - least + 1));
}

function withIndex(index: number, performanceIndex: number) {
  return workerAt(index, { gpus: [gpu(`gpu-${index}`, { performanceIndex })] });
}

const unlike: readonly SimulatedWorker[] = [
  { aloneMs: 10, slope: 0.02, concurrency: between(1, 30) },
  { aloneMs: 20, slope: 0.05, concurrency: between(1, 4) },
  { aloneMs: 40, slope: 0.02, concurrency: between(10, 40) },
];

describe("tokens per second of one request alone", () => {
  test("are found within 10 % from answers under unlike load", () => {
    const book = createSpeedBook();
    observeAnswers(book, unlike, 100);
    unlike.forEach(({ aloneMs }, index) => {
      const found = book.tokensPerSecond(index, MODEL) ?? 0;
      expect(found / (1000 / aloneMs)).toBeGreaterThan(0.9);
      expect(found / (1000 / aloneMs)).toBeLessThan(1.1);
    });
  });

  test("a worker that is merely busier does not look slower", () => {
    const book = createSpeedBook();
    const alike = { aloneMs: 20, slope: 0.03 };
    const idle = { ...alike, concurrency: between(1, 3) };
    const busy = { ...alike, concurrency: between(20, 40) };
    observeAnswers(book, [idle, busy], 200);
    const speeds = book.relativeTo([workerAt(0), workerAt(1)]);
    expect(speeds.of(1, MODEL) / speeds.of(0, MODEL)).toBeGreaterThan(0.9);
    expect(speeds.of(1, MODEL) / speeds.of(0, MODEL)).toBeLessThan(1.1);
  });

  test("are unknown without a sample", () => {
    expect(createSpeedBook().tokensPerSecond(0, MODEL)).toBeNull();
  });

  test("follow a worker that became slower", () => {
    const book = createSpeedBook();
    const worker = { slope: 0.02, concurrency: between(1, 10) };
    observeAnswers(book, [{ ...worker, aloneMs: 10 }], 300);
    observeAnswers(book, [{ ...worker, aloneMs: 30 }], 500);
    expect((book.tokensPerSecond(0, MODEL) ?? 0) * 30).toBeGreaterThan(900);
    expect((book.tokensPerSecond(0, MODEL) ?? 0) * 30).toBeLessThan(1100);
  });
});

describe("speeds relative to the fleet", () => {
  test("of unlike workers are right within 10 %", () => {
    const book = createSpeedBook();
    observeAnswers(book, unlike, 1000);
    const speeds = book.relativeTo(unlike.map((_, index) => workerAt(index)));
    [2, 1, 0.5].forEach((expected, index) => {
      expect(speeds.of(index, MODEL) / expected).toBeGreaterThan(0.9);
      expect(speeds.of(index, MODEL) / expected).toBeLessThan(1.1);
    });
  });

  test("follow performance_index where nothing is measured", () => {
    const workers = [withIndex(0, 0.8), withIndex(1, 0.4), withIndex(2, 0.2)];
    const speeds = createSpeedBook().relativeTo(workers);
    expect(workers.map(({ index }) => speeds.of(index, MODEL))).toEqual([2, 1, 0.5]);
  });

  test("are 1 where nothing is known at all", () => {
    const speeds = createSpeedBook().relativeTo([workerAt(0), workerAt(1)]);
    expect(speeds.of(0, MODEL)).toBe(1);
    expect(speeds.of(99, MODEL)).toBe(1);
  });

  test("a few samples move a speed only part of the way from its prior", () => {
    const book = createSpeedBook();
    const steady = between(1, 1);
    const workers = [10, 40].map((aloneMs) => ({ aloneMs, slope: 0, concurrency: steady }));
    observeAnswers(book, workers, 2);
    const speeds = book.relativeTo([workerAt(0), workerAt(1), workerAt(2)]);
    expect(speeds.of(0, MODEL)).toBeGreaterThan(1);
    expect(speeds.of(0, MODEL)).toBeLessThan(1.3);
  });

  test("a worker without samples gets its prior in the unit of the measured ones", () => {
    const book = createSpeedBook();
    const steady = between(1, 1);
    const measured = [10, 20].map((aloneMs) => ({ aloneMs, slope: 0, concurrency: steady }));
    observeAnswers(book, measured, 300);
    const speeds = book.relativeTo([withIndex(0, 0.8), withIndex(1, 0.4), withIndex(2, 0.4)]);
    expect(speeds.of(2, MODEL) / speeds.of(1, MODEL)).toBeCloseTo(1, 1);
  });

  test("are known per model", () => {
    const book = createSpeedBook();
    observeAnswers(book, unlike, 300);
    const speeds = book.relativeTo(unlike.map((_, index) => workerAt(index)));
    expect(speeds.of(0, "another")).toBe(1);
  });

  test("are at most fivefold either way", () => {
    const book = createSpeedBook();
    const steady = between(1, 1);
    const workers = [1, 100, 10_000].map((aloneMs) => ({ aloneMs, slope: 0, concurrency: steady }));
    observeAnswers(book, workers, 1000);
    const speeds = book.relativeTo(workers.map((_, index) => workerAt(index)));
    expect([0, 1, 2].map((index) => speeds.of(index, MODEL))).toEqual([5, 1, 0.2]);
  });

  test("stay within 0.2 and 5, whatever is observed", () => {
    const sample = fc.record({
      workerIndex: fc.nat(4),
      model: fc.constant(MODEL),
      tokens: fc.oneof(fc.nat(100_000), fc.double()),
      durationMs: fc.oneof(fc.nat(1e9), fc.double()),
      concurrency: fc.oneof(fc.nat(300), fc.constant(0)),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 200 }), (samples) => {
        const book = createSpeedBook();
        samples.forEach((observed) => book.observe(observed));
        const speeds = book.relativeTo([0, 1, 2, 3, 4].map((index) => workerAt(index)));
        for (let index = 0; index < 5; index++) {
          expect(speeds.of(index, MODEL)).toBeGreaterThanOrEqual(0.2);
          expect(speeds.of(index, MODEL)).toBeLessThanOrEqual(5);
        }
      }),
    );
  });
});
