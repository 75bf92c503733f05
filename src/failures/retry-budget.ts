import type { Clock } from "../clock.ts";

/** Tokens that each accepted request brings. */
const PER_REQUEST = 0.2;
/** Tokens that come by themselves, so that few requests may be retried too. */
const PER_SECOND = 10;
const LEAST_CAP = 100;
/** What so long a time brings may be saved for bad times, and no more. */
const SAVING_S = 10;

/**
 * Bounds retries by traffic: when everything fails, a fleet in trouble must not get each request four
 * times. One token is one retry. After Finagle's retry budget: 20 % of requests and 10 a second.
 */
export class RetryBudget {
  readonly #clock: Clock;
  #tokens = LEAST_CAP;
  #filledAtMs: number;
  /** Requests a second, smoothed over SAVING_S. */
  #rate = 0;
  #second = 0;
  #inSecond = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAtMs = clock.now();
    this.#second = Math.floor(this.#filledAtMs / 1000);
  }

  /** Retries that may be made now. */
  get tokens(): number {
    this.#fill();
    return this.#tokens;
  }

  /** A request came in. */
  accepted(): void {
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#second) this.#turnTo(second);
    this.#inSecond += 1;
    this.#tokens += PER_REQUEST;
  }

  /** False: no retry now. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #turnTo(second: number): void {
    const passed = second - this.#second;
    const kept = (1 - 1 / SAVING_S) ** passed;
    this.#rate = this.#rate * kept + (this.#inSecond / SAVING_S) * (kept / (1 - 1 / SAVING_S));
    this.#second = second;
    this.#inSecond = 0;
  }

  #fill(): void {
    const nowMs = this.#clock.now();
    const brought = ((nowMs - this.#filledAtMs) / 1000) * PER_SECOND;
    this.#filledAtMs = nowMs;
    const saving = SAVING_S * (PER_REQUEST * this.#rate + PER_SECOND);
    this.#tokens = Math.min(this.#tokens + brought, Math.max(LEAST_CAP, saving));
  }
}
