import type { Gpu } from "./gpu.ts";

/** Polls after which the figures of a source that fails say nothing about now. */
const POLLS = 5;

export interface Failing {
  /** Monotonic time of the last good poll; null = none yet. */
  readonly lastSuccessAtMs: number | null;
  readonly nowMs: number;
  readonly updateIntervalMs: number;
}

/** Ask of a failing source only: one that is merely due says what it said. */
export function isOutdated({ lastSuccessAtMs, nowMs, updateIntervalMs }: Failing): boolean {
  return lastSuccessAtMs !== null && nowMs - lastSuccessAtMs > POLLS * updateIntervalMs;
}

/**
 * The GPU without the figures of the moment: one that was at 90 °C an hour ago is not too hot for
 * ever, and memory that was free then promises nothing. What it is, and a status or a health check
 * that condemned it, stay.
 */
export function withoutMoment(gpu: Gpu): Gpu {
  return {
    ...gpu,
    memoryUsedBytes: null,
    memoryFreeBytes: null,
    utilization: null,
    temperatureC: null,
    powerUsageW: null,
    processes: [],
    tooHot: false,
  };
}
