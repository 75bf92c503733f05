import { RouterError } from "../errors.ts";
import type { QuotaStore, QuotaUnits, QuotaUsage, Receipt, Shortage } from "./quota-store.ts";
import {
  LimitsByUser,
  type GivenLimits,
  type LimitSettings,
  type LimitSources,
  type UserLimits,
  type UserLimitsDeps,
} from "./user-limits.ts";

/** What one request holds of its user's limits. Ended exactly once; ending twice does nothing. */
export interface Reservation {
  end(outcome: ReservationEnd): void;
}

export interface ReservationEnd {
  /** False: no worker saw any of it, so what was counted is given back. */
  readonly sent: boolean;
  /** Prompt and completion tokens as the worker reported them; null = it did not say. */
  readonly tokens: number | null;
}

/** What a user may still take of one limit. */
export interface Rate {
  readonly limit: number;
  readonly remaining: number;
  /** Until all of it is free again, if nothing more is taken. */
  readonly resetMs: number;
}

export interface Rates {
  readonly requests: Rate;
  /** null = the user's tokens are not limited. */
  readonly tokens: Rate | null;
}

export interface QuotasDeps extends UserLimitsDeps {
  readonly store: QuotaStore;
  /** user_quota_manager.quota_check_interval; for messages. */
  readonly windowMs: number;
}

/** What users may take: checked whole, then taken whole. All limits are the effective user's. */
export class Quotas {
  readonly windowMs: number;
  readonly #limits: LimitsByUser;
  readonly #ledger: Ledger;

  constructor(deps: QuotasDeps) {
    this.windowMs = deps.windowMs;
    this.#limits = new LimitsByUser(deps);
    this.#ledger = { store: deps.store, open: 0 };
  }

  /** Reservations not ended; 0 of them when idle, or something leaks. */
  get openCount(): number {
    return this.#ledger.open;
  }

  limitsOf(user: string): UserLimits {
    return this.#limits.of(user);
  }

  sourcesOf(user: string): LimitSources {
    return this.#limits.sourcesOf(user);
  }

  /**
   * For one request. `tokens` is an estimate, which counts while the request runs, and only where the
   * user has a token limit; one above the limit passes while nothing else counts. Throws
   * QUOTA_EXCEEDED, or rejects with it where the store answers with a promise.
   */
  reserve(user: string, tokens: number): Reservation | Promise<Reservation> {
    const limits = this.#limits.of(user);
    const held = tokensToHold(tokens, limits);
    const units = held === 0 ? ONE_REQUEST : { requests: 1, tokens: held };
    const answer = this.#ledger.store.take(user, units, limits);
    if (answer instanceof Promise) return this.#open(answer, user, held);
    if (typeof answer !== "number") throw this.#exceeded(user, answer);
    return new HeldUnits(this.#ledger, { user, receipt: answer, tokens: held });
  }

  /**
   * For a batch: one reservation for each estimate, or none at all. Throws as reserve does, and
   * INVALID_REQUEST for a batch that would not fit into an empty window.
   */
  reserveMany(
    user: string,
    tokens: readonly number[],
  ): readonly Reservation[] | Promise<readonly Reservation[]> {
    const limits = this.#limits.of(user);
    const held = tokens.map((estimate) => tokensToHold(estimate, limits));
    const units = { requests: held.length, tokens: held.reduce((sum, one) => sum + one, 0) };
    this.#refuseHopeless(user, units, limits);
    const answer = this.#ledger.store.take(user, units, limits);
    if (answer instanceof Promise) return this.#openMany(answer, user, held);
    if (typeof answer !== "number") throw this.#exceeded(user, answer);
    return held.map((one) => new HeldUnits(this.#ledger, { user, receipt: answer, tokens: one }));
  }

  usageOf(user: string): QuotaUsage {
    return this.#ledger.store.usage(user);
  }

  rateOf(user: string): Rates {
    const { requestLimit, tokenLimit } = this.#limits.of(user);
    const usage = this.#ledger.store.usage(user);
    const tokensUsed = usage.tokens + usage.tokensHeld;
    return {
      requests: rate(requestLimit, usage.requests, usage.requestsResetMs),
      tokens: tokenLimit === null ? null : rate(tokenLimit, tokensUsed, usage.tokensResetMs),
    };
  }

  /** Takes other defaults and limits of users; what is counted stays, and so do overrides. */
  reconfigure(settings: LimitSettings): void {
    this.#limits.reconfigure(settings);
  }

  /** In the place of an earlier override, whole. Lasts until the process ends, or it expires. */
  setOverride(user: string, given: GivenLimits): void {
    this.#limits.setOverride(user, given);
  }

  clearOverride(user: string): void {
    this.#limits.clearOverride(user);
  }

  async #open(
    answer: Promise<Receipt | Shortage>,
    user: string,
    tokens: number,
  ): Promise<Reservation> {
    const receipt = await answer;
    if (typeof receipt !== "number") throw this.#exceeded(user, receipt);
    return new HeldUnits(this.#ledger, { user, receipt, tokens });
  }

  async #openMany(
    answer: Promise<Receipt | Shortage>,
    user: string,
    held: readonly number[],
  ): Promise<readonly Reservation[]> {
    const receipt = await answer;
    if (typeof receipt !== "number") throw this.#exceeded(user, receipt);
    return held.map((tokens) => new HeldUnits(this.#ledger, { user, receipt, tokens }));
  }

  #refuseHopeless(user: string, units: QuotaUnits, limits: UserLimits): void {
    const { requestLimit, tokenLimit } = limits;
    if (units.requests > requestLimit) {
      const message =
        `a batch of ${units.requests} requests is larger than ${user}'s request_limit of ` +
        `${requestLimit}: split it`;
      throw new RouterError("INVALID_REQUEST", message, { param: "requests" });
    }
    if (tokenLimit !== null && units.tokens > tokenLimit) {
      const message =
        `a batch of about ${units.tokens} tokens is larger than ${user}'s token_limit of ` +
        `${tokenLimit}: split it`;
      throw new RouterError("INVALID_REQUEST", message, { param: "requests" });
    }
  }

  #exceeded(user: string, { limit, used, retryAfterMs }: Shortage): RouterError {
    const { requestLimit, tokenLimit } = this.#limits.of(user);
    const isOfRequests = limit === "request_limit";
    const source = this.#limits.sourcesOf(user)[isOfRequests ? "requestLimit" : "tokenLimit"];
    const limitIs = `${limit} ${isOfRequests ? requestLimit : tokenLimit}`;
    const asked = `${user} has used ${used} of ${limitIs} in ${this.windowMs / 1000} s`;
    const wait = retryAfterMs === null ? "" : `wait ${Math.ceil(retryAfterMs / 1000)} s, or `;
    const message = `${asked}: ${wait}have it raised (${whereToRaise(limit, source, user)})`;
    const details = retryAfterMs === null ? {} : { retryAfterMs };
    return new RouterError("QUOTA_EXCEEDED", message, { param: limit, ...details });
  }
}

/** Counts what is open, beside the store of what is taken. */
interface Ledger {
  readonly store: QuotaStore;
  open: number;
}

interface Taken {
  readonly user: string;
  readonly receipt: Receipt;
  /** Held for it until it ends. */
  readonly tokens: number;
}

class HeldUnits implements Reservation {
  readonly #ledger: Ledger;
  readonly #taken: Taken;
  #ended = false;

  constructor(ledger: Ledger, taken: Taken) {
    this.#ledger = ledger;
    this.#taken = taken;
    ledger.open += 1;
  }

  end({ sent, tokens }: ReservationEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ledger.open -= 1;
    const { user, receipt, tokens: tokensHeld } = this.#taken;
    // A request that was sent stays counted as it was: nearly all end here.
    if (sent && tokensHeld === 0) return;
    this.#ledger.store.settle(user, {
      receipt,
      requestsBack: sent ? 0 : 1,
      tokensHeld,
      tokensUsed: sent ? (tokens ?? tokensHeld) : 0,
    });
  }
}

const ONE_REQUEST: QuotaUnits = { requests: 1, tokens: 0 };

/** At least 1, since a user without a token left may send nothing; whatever is asked can pass once. */
function tokensToHold(estimate: number, { tokenLimit }: UserLimits): number {
  return tokenLimit === null ? 0 : Math.min(tokenLimit, Math.max(1, Math.ceil(estimate)));
}

function rate(limit: number, used: number, resetMs: number): Rate {
  return { limit, remaining: Math.max(0, limit - used), resetMs };
}

function whereToRaise(
  limit: Shortage["limit"],
  source: LimitSources["requestLimit"],
  user: string,
): string {
  switch (source) {
    case "default":
      return `user_quota_manager.default_${limit}, or an entry in users`;
    case "config":
      return `users[].${limit}`;
    case "override":
      return `PUT /api/v1/quotas/${user}`;
  }
}
