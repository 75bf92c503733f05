import type { UserLimits } from "./user-limits.ts";

/** What a request, or a batch of them, takes of its user's limits. */
export interface QuotaUnits {
  readonly requests: number;
  /** Held until the request ends and its tokens are known; 0 = the user has no token limit. */
  readonly tokens: number;
}

/** Where units were counted; only the store that gave it understands it. */
export type Receipt = number;

/** Why units were not taken. */
export interface Shortage {
  readonly limit: "request_limit" | "token_limit";
  /** In use of that limit, held tokens included. */
  readonly used: number;
  /** Until enough units are free; null = never. */
  readonly retryAfterMs: number | null;
}

/** How one request ends. */
export interface Settlement {
  readonly receipt: Receipt;
  /** Request units to give back: 0 or 1. */
  readonly requestsBack: number;
  /** Tokens that it held and holds no more. */
  readonly tokensHeld: number;
  /** Tokens that count from now on. */
  readonly tokensUsed: number;
}

export interface QuotaUsage {
  /** Requests counted in the window. */
  readonly requests: number;
  /** Until that is 0 if no more come. */
  readonly requestsResetMs: number;
  /** Tokens counted in the window. */
  readonly tokens: number;
  /** Tokens held by requests that run. */
  readonly tokensHeld: number;
  readonly tokensResetMs: number;
}

/**
 * Counts what users take, in a sliding window for each. A store that several routers share may answer
 * with promises; one that answers at once makes nobody wait for the next tick.
 */
export interface QuotaStore {
  /** All of the units within these limits, or none: one step, which no other can come between. */
  take(
    user: string,
    units: QuotaUnits,
    limits: UserLimits,
  ): Receipt | Shortage | Promise<Receipt | Shortage>;
  /** Told and not asked: a store that can fail here must deal with that itself. */
  settle(user: string, settlement: Settlement): void;
  /** As far as this process knows without asking anyone: every answer's headers tell it. */
  usage(user: string): QuotaUsage;
}
