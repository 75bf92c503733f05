import type { Clock } from "../clock.ts";
import type {
  QuotaStore,
  QuotaUnits,
  QuotaUsage,
  Receipt,
  Settlement,
  Shortage,
} from "./quota-store.ts";
import { SLICES, SlidingWindow } from "./sliding-window.ts";
import type { UserLimits } from "./user-limits.ts";

interface Usage {
  readonly requests: SlidingWindow;
  /** null until a request of the user's is settled with tokens. */
  tokens: SlidingWindow | null;
  tokensHeld: number;
}

/** The counts of one process. Answers at once, and forgets users of whom nothing counts any more. */
export class MemoryQuotaStore implements QuotaStore {
  readonly #clock: Pick<Clock, "now">;
  readonly #sliceMs: number;
  readonly #users = new Map<string, Usage>();
  /** Goes on where it stopped, so that each look is short however many users there are. */
  #sweeper = this.#users.entries();
  #sweptSlice = 0;
  /** The most of this round: those that it forgets must not slow it down. */
  #sweptPerSlice = 0;

  constructor(clock: Pick<Clock, "now">, windowMs: number) {
    this.#clock = clock;
    this.#sliceMs = windowMs / SLICES;
  }

  /** Users of whom something counts, and some of whom nothing does any more. */
  get size(): number {
    return this.#users.size;
  }

  take(user: string, units: QuotaUnits, limits: UserLimits): Receipt | Shortage {
    const slice = this.#slice();
    if (slice !== this.#sweptSlice) this.#sweep(slice);
    const usage = this.#users.get(user) ?? NOTHING;
    const requests = usage.requests.usedAt(slice);
    if (requests + units.requests > limits.requestLimit) {
      return this.#requestShortage(usage, units, limits);
    }
    const { tokenLimit } = limits;
    if (tokenLimit !== null && tokensOf(usage, slice) + units.tokens > tokenLimit) {
      return this.#tokenShortage(usage, units, tokenLimit);
    }
    const counted = usage === NOTHING ? this.#add(user) : usage;
    counted.requests.add(slice, units.requests);
    counted.tokensHeld += units.tokens;
    return slice;
  }

  settle(user: string, settlement: Settlement): void {
    const usage = this.#users.get(user);
    // Forgotten meanwhile: what it counted has left the window, and it held nothing.
    if (usage === undefined) return;
    const { receipt, requestsBack, tokensHeld, tokensUsed } = settlement;
    if (requestsBack > 0) usage.requests.takeBack(receipt, requestsBack);
    usage.tokensHeld -= tokensHeld;
    if (tokensUsed > 0) (usage.tokens ??= new SlidingWindow()).add(this.#slice(), tokensUsed);
  }

  usage(user: string): QuotaUsage {
    const slice = this.#slice();
    const { requests, tokens, tokensHeld } = this.#users.get(user) ?? NOTHING;
    return {
      requests: requests.usedAt(slice),
      requestsResetMs: this.#msUntilGone(requests.lastSlice),
      tokens: tokens?.usedAt(slice) ?? 0,
      tokensHeld,
      tokensResetMs: this.#msUntilGone(tokens?.lastSlice ?? null),
    };
  }

  #requestShortage(usage: Usage, units: QuotaUnits, { requestLimit }: UserLimits): Shortage {
    const used = usage.requests.usedAt(this.#slice());
    const freeing = usage.requests.sliceFreeing(used + units.requests - requestLimit);
    const retryAfterMs = freeing === null ? null : this.#msUntilGone(freeing);
    return { limit: "request_limit", used, retryAfterMs };
  }

  #tokenShortage(usage: Usage, units: QuotaUnits, tokenLimit: number): Shortage {
    const used = tokensOf(usage, this.#slice());
    const freeing = usage.tokens?.sliceFreeing(used + units.tokens - tokenLimit) ?? null;
    // What is held may be given back in the next moment, or count for a whole window.
    const retryAfterMs = freeing === null ? HELD_RETRY_MS : this.#msUntilGone(freeing);
    return { limit: "token_limit", used, retryAfterMs };
  }

  #add(user: string): Usage {
    const usage = { requests: new SlidingWindow(), tokens: null, tokensHeld: 0 };
    this.#users.set(user, usage);
    return usage;
  }

  #slice(): number {
    return Math.floor(this.#clock.now() / this.#sliceMs);
  }

  #msUntilGone(slice: number | null): number {
    if (slice === null) return 0;
    return Math.ceil((slice + SLICES + 1) * this.#sliceMs - this.#clock.now());
  }

  /** Some users in each slice in which anything is taken, so all of them in a window of traffic. */
  #sweep(slice: number): void {
    this.#sweptSlice = slice;
    const share = LEAST_SWEPT + this.#users.size / SLICES;
    this.#sweptPerSlice = Math.max(share, this.#sweptPerSlice);
    for (let left = this.#sweptPerSlice; left > 0; left--) {
      const next = this.#sweeper.next();
      if (next.done === true) {
        this.#sweeper = this.#users.entries();
        this.#sweptPerSlice = 0;
        return;
      }
      const [user, usage] = next.value;
      if (usage.requests.usedAt(slice) === 0 && tokensOf(usage, slice) === 0) {
        this.#users.delete(user);
      }
    }
  }
}

const NOTHING: Usage = Object.freeze({
  requests: new SlidingWindow(),
  tokens: null,
  tokensHeld: 0,
});

const HELD_RETRY_MS = 1_000;
const LEAST_SWEPT = 2;

/** Counted and held. */
function tokensOf({ tokens, tokensHeld }: Usage, slice: number): number {
  return tokensHeld + (tokens === null ? 0 : tokens.usedAt(slice));
}
