import { FairShare } from "../../../src/admission/fair-share.ts";
import { nextTurn } from "../../../src/admission/next-turn.ts";
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
  const add = (name: string, changes: Partial<Waiting> = {}): Named => {
    sequence += 1;
    const account = fairShare.of(name.slice(0, 1), "m");
    const links = { previous: null, next: null };
    const order = { acceptedAtMs: 0, band: 3, sequence, ...links, ...changes };
    const waiting = { name, account, level: order.band, ...order };
    within.add(waiting);
    return waiting;
  };
  /** Sets what a user was served, before they wait. */
  const served = (user: string, tokens: number): void => {
    fairShare.of(user, "m").served = tokens;
  };
  /** All who wait, each leaving when it is first; `cost` is what each charges to its user. */
  const takeAll = (cost = 0): string[] => {
    const names: string[] = [];
    for (let turn = nextTurn([within]); turn; turn = nextTurn([within])) {
      const { waiting } = turn;
      names.push((waiting as Named).name);
      waiting.account.served += cost;
      for (const line of waiting.account.lines) line.show();
      within.remove(waiting);
    }
    return names;
  };
  const first = (): string | undefined => (nextTurn([within])?.waiting as Named | undefined)?.name;
  return { within, fairShare, add, served, takeAll, first };
}
