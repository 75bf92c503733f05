import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";

/** How hard the process is pressed. Shares are 0..1 of what it may have. */
export interface Pressure {
  /** 99th percentile of the event loop's delay since the last sample. */
  readonly loopDelayMs: number;
  readonly heapShare: number;
  /** Resident memory: buffers live outside the heap. */
  readonly memoryShare: number;
}

/** What is short while work is refused. */
export type Shortage = "event loop" | "heap" | "memory";

export interface OverloadOptions {
  readonly clock: Clock;
  /** Told whenever other bands are refused than before; `lowestBand` as `Overload.lowestBand`. */
  readonly onChange: (change: { lowestBand: number; shortages: readonly Shortage[] }) => void;
}

/** A loop that is late by this much answers nobody in time. */
const LATE_LOOP_MS = 200;
/** One long garbage collection or one huge body is not an overload. */
const LATE_LOOP_FOR_MS = 1000;
const STRAINED_SHARE = 0.92;
const SHORT_SHARE = 0.95;
/** So near the limit that nothing at all may be added. */
const FULL_SHARE = 0.98;
/** What was refused is let in again below these: at the thresholds themselves it would flap. */
const CALM_LOOP_MS = 100;
const CALM_SHARE = 0.9;
const NO_LONGER_FULL_SHARE = 0.97;
/** Long enough for what the last band's refusal brings to be seen. */
const STEP_MS = 1000;
/**
 * Neither short nor calm: memory that the allocator does not give back may stay so for ever, and a
 * band is let in to see.
 */
const UNDECIDED_STEP_MS = 10_000;
/** Clients that come back in the next step would only be refused again. */
const RETRY_AFTER_MS = 5 * STEP_MS;

const TOP_BAND = 5;
/** Whatever the band. */
const NO_BAND = TOP_BAND + 1;

/**
 * Says which new work is refused before the process itself fails: the lowest band first, one more for
 * each step in which it stays bad, and back in the same way. Work that runs is never touched.
 */
export class Overload {
  readonly #options: OverloadOptions;
  #lowestBand = 1;
  #shortages: readonly Shortage[] = [];
  #isStrained = false;
  /** Since when the loop has been late in every sample; null = it was in time. */
  #lateSinceMs: number | null = null;
  #steppedAtMs = -Infinity;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  /** Bands below it are refused: 1 = none is, 6 = all are. */
  get lowestBand(): number {
    return this.#lowestBand;
  }

  /** Clients should come on fresh connections, and so perhaps to another instance. */
  get isStrained(): boolean {
    return this.#isStrained;
  }

  /** What was short when the last band was refused; empty while none is. */
  get shortages(): readonly Shortage[] {
    return this.#shortages;
  }

  /** OVERLOADED, as those are told whose band is refused. */
  refusal(): RouterError {
    const passing = this.#lowestBand === NO_BAND ? "none is" : `${bandsFrom(this.#lowestBand)} are`;
    const message =
      `the router is short of ${this.#shortages.join(" and ")}, and refuses new work by ` +
      `priority: ${passing} taken now`;
    return new RouterError("OVERLOADED", message, { retryAfterMs: RETRY_AFTER_MS });
  }

  sample(pressure: Pressure): void {
    const share = Math.max(pressure.heapShare, pressure.memoryShare);
    const staysLate = this.#seesLoop(pressure.loopDelayMs);
    this.#isStrained = this.#lateSinceMs !== null || share > STRAINED_SHARE;
    const most = mostRefused(share, staysLate);
    const isFull = share > FULL_SHARE;
    if (isFull || (this.#lowestBand < most && this.#isTime(STEP_MS))) {
      this.#shortages = shortagesOf(pressure, staysLate);
      this.#move(isFull ? NO_BAND : this.#lowestBand + 1);
    } else if (this.#lowestBand > most) this.#maybeLetIn(pressure, most);
  }

  /** True: it has been late for too long. */
  #seesLoop(loopDelayMs: number): boolean {
    const nowMs = this.#options.clock.now();
    this.#lateSinceMs = loopDelayMs > LATE_LOOP_MS ? (this.#lateSinceMs ?? nowMs) : null;
    return this.#lateSinceMs !== null && nowMs - this.#lateSinceMs >= LATE_LOOP_FOR_MS;
  }

  /** From full, the highest band comes back first; the others wait until it is no longer short. */
  #maybeLetIn({ loopDelayMs, heapShare, memoryShare }: Pressure, most: number): void {
    const share = Math.max(heapShare, memoryShare);
    if (most > 1 && share > NO_LONGER_FULL_SHARE) return;
    const isCalm = most > 1 || (share < CALM_SHARE && loopDelayMs < CALM_LOOP_MS);
    if (!this.#isTime(isCalm ? STEP_MS : UNDECIDED_STEP_MS)) return;
    if (this.#lowestBand === 2) this.#shortages = [];
    this.#move(this.#lowestBand - 1);
  }

  #isTime(stepMs: number): boolean {
    return this.#options.clock.now() - this.#steppedAtMs >= stepMs;
  }

  #move(lowestBand: number): void {
    this.#steppedAtMs = this.#options.clock.now();
    if (lowestBand === this.#lowestBand) return;
    this.#lowestBand = lowestBand;
    this.#options.onChange({ lowestBand, shortages: this.#shortages });
  }
}

/**
 * The highest that `lowestBand` may become. Refusals always relieve the loop; memory may stay short
 * without any work, and must then not lock everybody out before it is nearly full.
 */
function mostRefused(share: number, staysLate: boolean): number {
  if (staysLate) return NO_BAND;
  return share > SHORT_SHARE ? TOP_BAND : 1;
}

function shortagesOf(pressure: Pressure, staysLate: boolean): readonly Shortage[] {
  const short: Shortage[] = [];
  if (staysLate) short.push("event loop");
  if (pressure.heapShare > SHORT_SHARE) short.push("heap");
  if (pressure.memoryShare > SHORT_SHARE) short.push("memory");
  return short;
}

function bandsFrom(band: number): string {
  return band === TOP_BAND ? `only requests of priority ${band}` : `those of ${band} and above`;
}
