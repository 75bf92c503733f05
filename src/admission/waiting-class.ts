import { Departures } from "./departures.ts";
import type { Account } from "./fair-share.ts";
import { Heap, type Heaped } from "./heap.ts";
import { OrderedList, type Linked } from "./ordered-list.ts";

const LOWEST_BAND = 1;
export const HIGHEST_BAND = 5;

/** What the order of waiting needs to know of a request. */
export interface Waiting extends Linked<Waiting> {
  readonly account: Account;
  readonly acceptedAtMs: number;
  /** Of two that were accepted at the same time, the lower goes first. */
  readonly sequence: number;
  readonly band: number;
  /** The band to which it has risen: its own, and one more for each step that it has waited; 5 at most. */
  level: number;
}

/** The requests of one user in one band, first come first served. */
export class UserLine implements Heaped {
  heapIndex = -1;
  readonly account: Account;
  readonly within: WaitingClass;
  readonly waiting = new OrderedList<Waiting>(cameBefore);
  readonly departures = new Departures();
  readonly #band: Band;
  /** As the band counts it; 0 = not at all. */
  #level = 0;

  constructor(account: Account, within: WaitingClass, band: Band) {
    this.account = account;
    this.within = within;
    this.#band = band;
  }

  /** Takes its place among the lines of its band, or a new one after its order has changed. */
  show(): void {
    if (this.account.parkedIn.has(this.within)) return;
    this.#countAs(this.waiting.first?.level ?? 0);
    if (this.heapIndex === -1) this.#band.served.add(this);
    else this.#band.served.moved(this);
  }

  /** Is passed over until it is shown again. */
  hide(): void {
    this.#countAs(0);
    this.#band.served.remove(this);
  }

  #countAs(level: number): void {
    const { linesAtLevel } = this.#band;
    linesAtLevel[this.#level]! -= 1;
    linesAtLevel[level]! += 1;
    this.#level = level;
  }
}

interface Band {
  /** Of users that may be served: not of those that are parked. */
  readonly served: Heap<UserLine>;
  readonly lines: Map<string, UserLine>;
  /** How many of `served` have a first request that has risen to this level. */
  readonly linesAtLevel: number[];
  size: number;
}

function createBand(): Band {
  const linesAtLevel = Array.from({ length: HIGHEST_BAND + 1 }, () => 0);
  return { served: new Heap(isServedBefore), lines: new Map(), linesAtLevel, size: 0 };
}

/** Requests that the same workers can take, in the order in which they will be served. */
export class WaitingClass {
  readonly key: string;
  readonly model: string;
  /** Its last turn was given by fairness alone: the next one is the highest band's. */
  hadFairTurn = false;
  readonly #bands: readonly Band[] = Array.from({ length: HIGHEST_BAND + 1 }, createBand);
  readonly #departures = new Departures();
  size = 0;

  constructor(key: string, model: string) {
    this.key = key;
    this.model = model;
  }

  add(waiting: Waiting): void {
    const { account } = waiting;
    const band = this.#band(waiting.band);
    let line = band.lines.get(account.user);
    if (!line) {
      line = new UserLine(account, this, band);
      band.lines.set(account.user, line);
      account.lines.push(line);
    }
    line.waiting.add(waiting);
    band.size += 1;
    this.size += 1;
    line.show();
  }

  remove(waiting: Waiting): void {
    const { account } = waiting;
    const band = this.#band(waiting.band);
    const line = band.lines.get(account.user);
    if (!line) return;
    line.waiting.remove(waiting);
    band.size -= 1;
    this.size -= 1;
    if (line.waiting.size > 0) return line.show();
    line.hide();
    band.lines.delete(account.user);
    account.lines.splice(account.lines.indexOf(line), 1);
  }

  /** It has waited for a further step. */
  rise(waiting: Waiting, level: number): void {
    waiting.level = level;
    this.#band(waiting.band).lines.get(waiting.account.user)?.show();
  }

  /** Of those who wait and may be served: not of users that are parked. 0 = nobody may. */
  get highestBand(): number {
    for (let band = HIGHEST_BAND; band >= LOWEST_BAND; band--) {
      if (this.#band(band).served.size > 0) return band;
    }
    return 0;
  }

  /** The lowest band of which somebody has risen to this level, and whose turn it may be; else `level`. */
  lowestBandRisenTo(level: number): number {
    if (this.hadFairTurn) return level;
    for (let band = LOWEST_BAND; band < level; band++) {
      const { linesAtLevel } = this.#band(band);
      for (let risen = level; risen <= HIGHEST_BAND; risen++) if (linesAtLevel[risen]) return band;
    }
    return level;
  }

  /** Who is next in a band; null where nobody waits, or only users that are parked. */
  firstIn(band: number): Waiting | null {
    return this.#band(band).served.first?.waiting.first ?? null;
  }

  hasLineOf({ user }: Account, band: number): boolean {
    return this.#band(band).lines.has(user);
  }

  /** Who was served least of those who wait in this band; null = nobody does. */
  leastServedIn(band: number): Account | null {
    return this.#band(band).served.first?.account ?? null;
  }

  /** One left because its turn had come. */
  departed({ band, account }: Waiting, nowMs: number): void {
    this.#departures.note(nowMs);
    this.#band(band).lines.get(account.user)?.departures.note(nowMs);
  }

  /**
   * 1 = next. Who rises, or costs more than others, may still change it. `alike`: the classes that wait for
   * the same model, this one included.
   */
  positionOf(waiting: Waiting, alike: Iterable<WaitingClass>): number {
    const line = this.#band(waiting.band).lines.get(waiting.account.user);
    const before = countBefore(line, waiting);
    let position = 1;
    for (const within of alike) position += within.#countAhead(waiting.band, line, before);
    return position;
  }

  /** How many of this class go before the one that has so many of its own line before it. */
  #countAhead(band: number, line: UserLine | undefined, before: number): number {
    let ahead = 0;
    for (let above = band + 1; above <= HIGHEST_BAND; above++) ahead += this.#band(above).size;
    for (const other of this.#band(band).lines.values()) {
      const goesFirst = line !== undefined && other !== line && isServedBefore(other, line);
      ahead += Math.min(other.waiting.size, before + (goesFirst ? 1 : 0));
    }
    return ahead;
  }

  /**
   * Until its turn comes, at the pace of late; null = not known yet. A user's own pace says more: it
   * knows of those who will come and be served first.
   */
  startsInMs(waiting: Waiting, nowMs: number, alike: readonly WaitingClass[]): number | null {
    const line = this.#band(waiting.band).lines.get(waiting.account.user);
    const ownMs = line?.departures.meanIntervalMs(nowMs) ?? null;
    if (ownMs !== null) return (countBefore(line, waiting) + 1) * ownMs;
    let turnsPerMs = 0;
    for (const within of alike) turnsPerMs += 1 / (within.intervalMs(nowMs) ?? Infinity);
    return turnsPerMs === 0 ? null : this.positionOf(waiting, alike) / turnsPerMs;
  }

  /** Between two turns, at the pace of late; null = not known yet. */
  intervalMs(nowMs: number): number | null {
    return this.#departures.meanIntervalMs(nowMs);
  }

  #band(band: number): Band {
    const found = this.#bands[band];
    if (!found) throw new Error(`there is no band ${band}`);
    return found;
  }
}

function countBefore(line: UserLine | undefined, waiting: Waiting): number {
  let before = 0;
  for (let at = line?.waiting.first; at && at !== waiting; at = at.next) before += 1;
  return before;
}

/** First come first served. */
export function cameBefore(a: Waiting, b: Waiting): boolean {
  if (a.acceptedAtMs !== b.acceptedAtMs) return a.acceptedAtMs < b.acceptedAtMs;
  return a.sequence < b.sequence;
}

/** Least served first; of equals, whose first request came first. */
function isServedBefore(a: UserLine, b: UserLine): boolean {
  if (a.account.served !== b.account.served) return a.account.served < b.account.served;
  const first = a.waiting.first;
  const other = b.waiting.first;
  return first !== null && other !== null && cameBefore(first, other);
}
