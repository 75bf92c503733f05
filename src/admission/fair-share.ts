import type { UserLine, WaitingClass } from "./waiting-class.ts";

/** What a user was served, and what of theirs waits. */
export interface Account {
  readonly user: string;
  /** Served work in tokens, on a scale that all users share: who has least goes first. */
  served: number;
  /** Requests that run now. */
  running: number;
  waiting: number;
  waitingBytes: number;
  /** Where their gpu_limit is in the way: passed over there until one of their placements is free again. */
  readonly parkedIn: Set<WaitingClass>;
  readonly lines: UserLine[];
}

/** Prompt tokens are read at once, while each generated one takes a step: the weights of VTC. */
const PROMPT_WEIGHT = 1;
const COMPLETION_WEIGHT = 2;
/** Until something was measured: a short chat. */
const FIRST_MEAN_TOKENS = 300;
const FIRST_MEAN_COST = 500;
const NEWEST = 0.05;
const ACCOUNTS_KEPT = 10_000;

/**
 * Fair between users by served work: a virtual token counter for each (Sheng et al., "Fairness in
 * Serving Large Language Models", OSDI 2024). A request is charged what requests cost on average when
 * it starts, and what it really cost when it ends.
 */
export class FairShare {
  readonly #accounts = new Map<string, Account>();
  #meanCost = FIRST_MEAN_COST;
  #meanTokens = FIRST_MEAN_TOKENS;
  #lastServed = 0;

  of(user: string): Account {
    let account = this.#accounts.get(user);
    if (!account) {
      if (this.#accounts.size >= ACCOUNTS_KEPT) this.#forgetIdle();
      account = {
        user,
        served: 0,
        running: 0,
        waiting: 0,
        waitingBytes: 0,
        parkedIn: new Set(),
        lines: [],
      };
      this.#accounts.set(user, account);
    }
    return account;
  }

  /**
   * When a user begins to wait somewhere: being away earns nothing. `leastServed`: of those who wait there
   * already; null = nobody does.
   */
  lift(account: Account, leastServed: number | null): void {
    account.served = Math.max(account.served, leastServed ?? this.#lastServed);
  }

  /** A request of the user starts. Returns what was charged, for `settle`. */
  charge(account: Account): number {
    account.served += this.#meanCost;
    account.running += 1;
    this.#lastServed = account.served;
    return this.#meanCost;
  }

  /** It ended. `usage` with nothing in it, or null: nobody knows, and the charge stands. */
  settle(account: Account, charged: number, usage: Usage | null): void {
    account.running -= 1;
    if (!usage || (usage.promptTokens === null && usage.completionTokens === null)) return;
    const prompt = usage.promptTokens ?? 0;
    const completion = usage.completionTokens ?? 0;
    const cost = PROMPT_WEIGHT * prompt + COMPLETION_WEIGHT * completion;
    account.served += cost - charged;
    // What failed served nothing, and says nothing about those that will not fail.
    if (cost === 0) return;
    this.#meanCost += NEWEST * (cost - this.#meanCost);
    this.#meanTokens += NEWEST * (prompt + completion - this.#meanTokens);
  }

  /** What a request takes on average, prompt and completion. */
  get meanTokens(): number {
    return this.#meanTokens;
  }

  #forgetIdle(): void {
    for (const [user, { running, waiting }] of this.#accounts) {
      if (running === 0 && waiting === 0) this.#accounts.delete(user);
    }
  }
}

/** As the worker reported it; null: it did not say. */
interface Usage {
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}
