import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";

/** What fails again and again is told so often at most. */
const TOLD_EVERY_MS = 60_000;

interface Trouble {
  readonly lostBefore: number;
  readonly isTold: boolean;
}

/**
 * Tells when the Logging Service begins to fail and when it works again. These lines are shipped
 * like all others, so nothing here may speak for each batch, or it would feed itself.
 */
export class LogSinkState {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #url: string;
  #trouble: Trouble | null = null;
  #toldAtMs = -Infinity;

  constructor(clock: Clock, log: Log, url: string) {
    this.#clock = clock;
    this.#log = log;
    this.#url = url;
  }

  /** `lostLines`: before it, since the start. */
  fails(problem: string, lostLines: number): void {
    if (this.#trouble?.isTold) return;
    // News that came too soon after the last is told later, if the trouble lasts.
    const isTold = this.#clock.now() - this.#toldAtMs >= TOLD_EVERY_MS;
    this.#trouble = { lostBefore: this.#trouble?.lostBefore ?? lostLines, isTold };
    if (!isTold) return;
    this.#toldAtMs = this.#clock.now();
    this.#log.warn({ url: this.#url, problem }, "logging service failing");
  }

  /** All that waited was taken. `lostLines`: since the start. */
  works(lostLines: number): void {
    if (this.#trouble === null) return;
    const { isTold, lostBefore } = this.#trouble;
    this.#trouble = null;
    if (!isTold) return;
    const fields = { url: this.#url, linesLost: lostLines - lostBefore };
    this.#log.info(fields, "logging service works again");
  }
}
