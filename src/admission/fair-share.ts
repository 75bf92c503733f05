import type { UserLine, WaitingClass } from "./waiting-class.ts";

/** What a user was served of one model, and what of theirs waits for it. */
export interface Account {
  readonly user: string;
  readonly share: ModelShare;
  /** Served work in tokens, on a scale that all users share: who has least goes first. */
  served: number;
  /** What `served` would be at least, but for the head start. */
  ground: number;
  /** Requests that run now. */
  running: number;
  waiting: number;
  /** Where their gpu_limit is in the way: passed over there until one of their placements is free again. */
  readonly parkedIn: Set<WaitingClass>;
  readonly lines: UserLine[];
}

interface ModelShare {
  readonly accounts: Map<string, Account>;
  meanCost: number;
  /** The most that any user had been served when a request of theirs started. */
  peak: number;
}

/** Prompt tokens are read at once, while each generated one takes a step: the weights of VTC. */
const PROMPT_WEIGHT = 1;
const COMPLETION_WEIGHT = 2;
/** Until something was measured: a short chat. */
const FIRST_MEAN_TOKENS = 300;
const FIRST_MEAN_COST = 500;
const NEWEST = 0.05;
const ACCOUNTS_KEPT = 10_000;
/** Clients choose the names, and while some worker has not said what it serves, any of them may wait. */
const MODELS_KEPT = 1000;

/**
 * Fair between users by served work: a virtual token counter for each (Sheng et al., "Fairness in
 * Serving Large Language Models", OSDI 2024). A request is charged what requests cost on average when
 * it starts, and what it really cost when it ends.
 *
 * Each model counts by itself: else a user who is busy with a fast one would come last wherever others
 * wait for a slow one.
 */
export class FairShare {
  readonly #models = new Map<string, ModelShare>();
  #meanTokens = FIRST_MEAN_TOKENS;

  of(user: string, model: string): Account {
    let share = this.#models.get(model);
    if (!share) {
      if (this.#models.size >= MODELS_KEPT) this.#forgetIdle();
      share = { accounts: new Map(), meanCost: FIRST_MEAN_COST, peak: 0 };
      this.#models.set(model, share);
    }
    let account = share.accounts.get(user);
    if (!account) {
      if (share.accounts.size >= ACCOUNTS_KEPT) forgetIdle(share);
      const nothing = { served: 0, ground: 0, running: 0, waiting: 0 };
      account = { user, share, ...nothing, parkedIn: new Set(), lines: [] };
      share.accounts.set(user, account);
    }
    return account;
  }

  /**
   * When a user begins to wait: having been away earns no more than a head start, of so many turns. Without
   * any, bursts of those who ask for little would wait in turn with a user that floods. `least`: who was
   * served least of those who wait already; null = nobody does.
   */
  lift(account: Account, least: Account | null, headTurns: number): void {
    const { meanCost, peak } = account.share;
    const ground = least === null ? peak : Math.max(least.served, least.ground);
    account.ground = Math.max(account.ground, ground);
    account.served = Math.max(account.served, ground - headTurns * meanCost);
  }

  /** A request of the user starts. Returns what was charged, for `settle`. */
  charge(account: Account): number {
    const { share } = account;
    share.peak = Math.max(share.peak, account.served);
    account.served += share.meanCost;
    account.running += 1;
    return share.meanCost;
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
    const { share } = account;
    share.meanCost += NEWEST * (cost - share.meanCost);
    this.#meanTokens += NEWEST * (prompt + completion - this.#meanTokens);
  }

  #forgetIdle(): void {
    for (const [model, share] of this.#models) {
      forgetIdle(share);
      if (share.accounts.size === 0) this.#models.delete(model);
    }
  }

  /** What a request takes on average, prompt and completion. */
  get meanTokens(): number {
    return this.#meanTokens;
  }
}

function forgetIdle({ accounts }: ModelShare): void {
  for (const [user, { running, waiting }] of accounts) {
    if (running === 0 && waiting === 0) accounts.delete(user);
  }
}

/** As the worker reported it; null: it did not say. */
interface Usage {
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}
