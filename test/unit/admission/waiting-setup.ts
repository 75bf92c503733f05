import { FairShare } from "../../../src/admission/fair-share.ts";
import { WaitingClass, type Waiting } from "../../../src/admission/waiting-class.ts";

/** One who waits, with a name for the test to see. */
export interface Named extends Waiting {
  readonly name: string;
}

/** A class, and waiters that enter it in the order of their making. */
export function createClass() {
  const fairShare = new FairShare();
  const within = new WaitingClass("class", "m");
  let sequence = 0;
  const add = (name: string, changes: { level?: number; acceptedAtMs?: number } = {}): Named => {
    sequence += 1;
    const account = fairShare.of(name.slice(0, 1));
    const order = { acceptedAtMs: 0, level: 3, sequence, heapIndex: -1 };
    const waiting = { name, account, ...order, ...changes };
    within.add(waiting);
    return waiting;
  };
  /** Sets what a user was served, before they wait. */
  const served = (user: string, tokens: number): void => {
    fairShare.of(user).served = tokens;
  };
  /** All who wait, each leaving when it is first; `cost` is what each charges to its user. */
  const takeAll = (cost = 0): string[] => {
    const names: string[] = [];
    for (let first = within.first; first; first = within.first) {
      names.push((first as Named).name);
      first.account.served += cost;
      for (const line of first.account.lines) line.show();
      within.remove(first);
    }
    return names;
  };
  return { within, fairShare, add, served, takeAll };
}
