import type { Account } from "./fair-share.ts";
import { Heap, type Heaped } from "./heap.ts";

const LOWEST_LEVEL = 1;
export const HIGHEST_LEVEL = 5;

/** What the order of waiting needs to know of a request. */
export interface Waiting extends Heaped {
  readonly account: Account;
  readonly acceptedAtMs: number;
  /** Of two that were accepted at the same time, the lower goes first. */
  readonly sequence: number;
  /** Its band, and one more for each step that it has waited; 5 at most. */
  level: number;
}

/** The requests of one user at one level, first come first served. */
export class UserLine implements Heaped {
  heapIndex = -1;
  readonly account: Account;
  readonly within: WaitingClass;
  readonly waiting = new Heap<Waiting>(cameBefore);
  readonly #served: Heap<UserLine>;

  constructor(account: Account, within: WaitingClass, served: Heap<UserLine>) {
    this.account = account;
    this.within = within;
    this.#served = served;
  }

  /** Takes its place among the lines of its level, or a new one after its order has changed. */
  show(): void {
    if (this.account.parkedIn.has(this.within)) return;
    if (this.heapIndex === -1) this.#served.add(this);
    else this.#served.moved(this);
  }

  /** Is passed over until it is shown again. */
  hide(): void {
    this.#served.remove(this);
  }
}

interface Level {
  /** Of users that may be served: not of those that are parked. */
  readonly served: Heap<UserLine>;
  readonly lines: Map<string, UserLine>;
  size: number;
}

function createLevel(): Level {
  return { served: new Heap(isServedBefore), lines: new Map(), size: 0 };
}

/** Requests that the same workers can take, in the order in which they will be served. */
export class WaitingClass {
  readonly key: string;
  readonly model: string;
  readonly #levels: readonly Level[];
  readonly #departures = new Departures();
  size = 0;

  constructor(key: string, model: string) {
    this.key = key;
    this.model = model;
    this.#levels = Array.from({ length: HIGHEST_LEVEL + 1 }, createLevel);
  }

  add(waiting: Waiting): void {
    const { account } = waiting;
    const level = this.#level(waiting.level);
    let line = level.lines.get(account.user);
    if (!line) {
      line = new UserLine(account, this, level.served);
      level.lines.set(account.user, line);
      account.lines.push(line);
    }
    line.waiting.add(waiting);
    level.size += 1;
    this.size += 1;
    line.show();
  }

  remove(waiting: Waiting): void {
    const { account } = waiting;
    const level = this.#level(waiting.level);
    const line = level.lines.get(account.user);
    if (!line) return;
    line.waiting.remove(waiting);
    level.size -= 1;
    this.size -= 1;
    if (line.waiting.size > 0) return line.show();
    line.hide();
    level.lines.delete(account.user);
    account.lines.splice(account.lines.indexOf(line), 1);
  }

  /** Who is next; undefined where nobody waits, or only users that are parked. */
  get first(): Waiting | undefined {
    return this.#firstLine?.waiting.first;
  }

  get #firstLine(): UserLine | undefined {
    for (let level = HIGHEST_LEVEL; level >= LOWEST_LEVEL; level--) {
      const line = this.#level(level).served.first;
      if (line) return line;
    }
    return undefined;
  }

  hasLineOf({ user }: Account, level: number): boolean {
    return this.#level(level).lines.has(user);
  }

  /** The least that anybody was served who waits at this level; null = nobody does. */
  leastServedAt(level: number): number | null {
    return this.#level(level).served.first?.account.served ?? null;
  }

  /** One left because its turn had come. */
  departed(nowMs: number): void {
    this.#departures.note(nowMs);
  }

  /** 1 = next. What rises meanwhile, or costs more than others, may still change it. */
  positionOf(waiting: Waiting): number {
    const own = this.#level(waiting.level);
    const line = own.lines.get(waiting.account.user);
    let ahead = this.#levels.reduce(
      (sum, level, at) => (at > waiting.level ? sum + level.size : sum),
      0,
    );
    let before = 0;
    for (const other of line?.waiting ?? []) if (cameBefore(other, waiting)) before += 1;
    for (const other of own.lines.values()) {
      if (other === line) ahead += before;
      else {
        const goesFirst = line !== undefined && isServedBefore(other, line);
        ahead += Math.min(other.waiting.size, before + (goesFirst ? 1 : 0));
      }
    }
    return ahead + 1;
  }

  /** Until the turn of the one at this position comes, at the pace of late; null = not known yet. */
  startsInMs(position: number, nowMs: number): number | null {
    const intervalMs = this.#departures.meanIntervalMs(nowMs);
    return intervalMs === null ? null : position * intervalMs;
  }

  #level(level: number): Level {
    const found = this.#levels[level];
    if (!found) throw new Error(`there is no level ${level}`);
    return found;
  }
}

/** How fast a class is served: the times of its latest turns. */
class Departures {
  readonly #timesMs: number[] = [];
  #next = 0;

  note(nowMs: number): void {
    this.#timesMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % DEPARTURES_KEPT;
  }

  /** The time since the last one counts too, or a class that stands still would look fast. */
  meanIntervalMs(nowMs: number): number | null {
    const count = this.#timesMs.length;
    if (count < 2) return null;
    const oldestMs = count < DEPARTURES_KEPT ? this.#timesMs[0]! : this.#timesMs[this.#next]!;
    const newestMs = this.#timesMs.at(this.#next - 1)!;
    const intervalMs = (newestMs - oldestMs) / (count - 1);
    return Math.max(intervalMs, (nowMs - oldestMs) / count);
  }
}

const DEPARTURES_KEPT = 64;

function cameBefore(a: Waiting, b: Waiting): boolean {
  if (a.acceptedAtMs !== b.acceptedAtMs) return a.acceptedAtMs < b.acceptedAtMs;
  return a.sequence < b.sequence;
}

/** Least served first; of equals, whose first request came first. */
function isServedBefore(a: UserLine, b: UserLine): boolean {
  if (a.account.served !== b.account.served) return a.account.served < b.account.served;
  const first = a.waiting.first;
  const other = b.waiting.first;
  return first !== undefined && other !== undefined && cameBefore(first, other);
}

/** Who is next among all classes: the highest level first, then the user who was served least. */
export function firstOf(classes: readonly WaitingClass[]): Waiting | undefined {
  let first: Waiting | undefined;
  for (const within of classes) {
    const candidate = within.first;
    if (candidate && (!first || goesBefore(candidate, first))) first = candidate;
  }
  return first;
}

function goesBefore(a: Waiting, b: Waiting): boolean {
  if (a.level !== b.level) return a.level > b.level;
  if (a.account.served !== b.account.served) return a.account.served < b.account.served;
  return cameBefore(a, b);
}
