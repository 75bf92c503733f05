import type { Account } from "./fair-share.ts";
import type { WaitingClass } from "./waiting-class.ts";

/**
 * Users at their gpu_limit, each in the classes where it is in the way. Nothing of theirs is looked at
 * there until a slot is free on a placement that they occupy: either it is theirs no more, so that they
 * may take another, or it has room for one more.
 */
export class Parked {
  readonly #byPlacement = new Map<number, Set<Account>>();

  /** `placements`: those that the user occupies now. */
  park(account: Account, within: WaitingClass, placements: Iterable<number>): void {
    account.parkedIn.add(within);
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
    for (const account of parked) release(account);
    return true;
  }

  releaseAll(): void {
    for (const placement of [...this.#byPlacement.keys()]) this.releaseOn(placement);
  }
}

function release(account: Account): void {
  account.parkedIn.clear();
  for (const line of account.lines) line.show();
}
