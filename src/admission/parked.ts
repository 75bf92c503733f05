import type { Account } from "./fair-share.ts";
import type { WaitingClass } from "./waiting-class.ts";

/**
 * Users at their gpu_limit, each in the classes where it is in the way. Nothing of theirs is looked at
 * there until a slot is free on a placement that they occupy: either it is theirs no more, so that they
 * may take another, or it has room for one more.
 */
export class Parked {
  readonly #byPlacement = new Map<number, Set<Account>>();
  /** All of them: a user whose limit is 0 occupies nothing. */
  readonly #all = new Set<Account>();

  /** `placements`: those that the user occupies now. */
  park(account: Account, within: WaitingClass, placements: Iterable<number>): void {
    account.parkedIn.add(within);
    this.#all.add(account);
    for (const line of account.lines) if (line.within === within) line.hide();
    for (const placement of placements) {
      let parked = this.#byPlacement.get(placement);
      if (!parked) this.#byPlacement.set(placement, (parked = new Set()));
      parked.add(account);
    }
  }

  /** True: somebody was parked there. */
  releaseOn(placement: number): boolean {
    const parked = this.#byPlacement.get(placement);
    if (!parked) return false;
    this.#byPlacement.delete(placement);
    for (const account of parked) this.#release(account);
    return true;
  }

  releaseAll(): void {
    this.#byPlacement.clear();
    for (const account of this.#all) this.#release(account);
  }

  #release(account: Account): void {
    this.#all.delete(account);
    account.parkedIn.clear();
    for (const line of account.lines) line.show();
  }
}
