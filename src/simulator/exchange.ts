import type { Clock, Timer } from "../clock.ts";
import type { Relay } from "../dispatch/relay.ts";

/** What one side of a connection sees next; `afterMs` what came before. */
export type Step = { readonly afterMs: number } & (
  | { readonly does: "connect" }
  | {
      readonly does: "head";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly does: "data"; readonly chunk: Buffer }
  | { readonly does: "end" }
  /** The connection fails, or was never made. */
  | { readonly does: "break"; readonly code: string }
);

type Controller = Parameters<Relay["onRequestStart"]>[0];

export interface ExchangeTerms {
  readonly requestId: string;
  readonly clock: Clock;
  readonly relay: Relay;
  /** All that will happen; one without an end hangs. */
  readonly script: readonly Step[];
  /** Told once, when it is over for whatever reason. */
  readonly onOver: (exchange: Exchange) => void;
}

/** One request on one virtual connection, told to the relay as undici tells it. */
export class Exchange implements Controller {
  readonly requestId: string;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  isOver = false;
  /** The worker has seen the request. */
  isSent = false;
  /** What the relay was given. */
  readonly chunks: Buffer[] = [];
  status = 0;
  readonly #terms: ExchangeTerms;
  #next = 0;
  #timer: Timer | null = null;
  /** A step that fell due while the relay had asked for a pause. */
  #isHeldUp = false;

  constructor(terms: ExchangeTerms) {
    this.#terms = terms;
    this.requestId = terms.requestId;
    this.#await();
  }

  /** The handler hears of it in the same tick, as from undici. */
  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#fail(reason);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.#isHeldUp) return;
    this.#isHeldUp = false;
    this.#timer = this.#terms.clock.after(0, () => this.#play());
  }

  /** The worker dies, or the router closes its connections. */
  reset(code: string): void {
    this.#fail(networkError(code));
  }

  #await(): void {
    const step = this.#terms.script[this.#next];
    if (step) this.#timer = this.#terms.clock.after(step.afterMs, () => this.#play());
  }

  /** All that comes at once is told in one tick: one read of a socket may hold a whole answer. */
  #play(): void {
    for (;;) {
      const step = this.#terms.script[this.#next];
      if (!step || this.isOver) return;
      if (this.paused) {
        this.#isHeldUp = true;
        return;
      }
      this.#next += 1;
      this.#tell(step);
      const next = this.#terms.script[this.#next];
      if (next && next.afterMs > 0) break;
    }
    if (!this.isOver) this.#await();
  }

  #tell(step: Step): void {
    const { relay } = this.#terms;
    switch (step.does) {
      case "connect":
        this.isSent = true;
        return relay.onRequestStart(this);
      case "head":
        this.status = step.status;
        return relay.onResponseStart(this, step.status, { ...step.headers });
      case "data":
        this.chunks.push(step.chunk);
        return relay.onResponseData(this, step.chunk);
      case "end":
        this.#finish();
        return relay.onResponseEnd();
      case "break":
        return this.#fail(networkError(step.code));
    }
  }

  #fail(error: Error): void {
    if (this.isOver) return;
    this.#finish();
    this.#terms.relay.onResponseError(this, error);
  }

  #finish(): void {
    this.isOver = true;
    this.#timer?.cancel();
    this.#terms.onOver(this);
  }
}

function networkError(code: string): Error & { code: string } {
  return Object.assign(new Error(code), { code });
}
