import { expect } from "vitest";
import { FairShare, type Account } from "../../../src/admission/fair-share.ts";
import type { Placing, Waiter, WaitEnd } from "../../../src/admission/place.ts";
import { Queue } from "../../../src/admission/queue.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import { RouterError } from "../../../src/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** The second and the third are on the same GPUs: one placement. */
const WORKERS = [
  { placement: 0, slots: 2, models: ["m"] },
  { placement: 1, slots: 1, models: ["m"] },
  { placement: 1, slots: 1, models: ["n"] },
  { placement: 2, slots: 1, models: ["m", "n"] },
] as const;

const ROOM = { maxRequests: 8, maxBytes: 100, userShare: 0.5 };
/** Times are whole ticks of the wheel, so that what is due is due exactly. */
export const TICK_MS = 100;
const AGEING_MS = 500;

export interface Sent {
  readonly user: string;
  readonly classKey: "chat m" | "text m" | "chat n";
  readonly band: number;
  readonly bytes: number;
  /** The deadline, in steps of ageing that begin with a tick each. */
  readonly stepTicks: number;
  readonly isRetry: boolean;
}

interface Entry extends Sent {
  readonly model: string;
  readonly sequence: number;
  readonly account: Account;
  readonly acceptedAtMs: number;
  readonly deadlineAtMs: number;
  readonly ends: WaitEnd[];
  waiter: Waiter;
}

interface Held {
  readonly user: string;
  readonly model: string;
  readonly worker: (typeof WORKERS)[number];
  readonly charged: number;
}

/** A small fleet with a real queue before it, and the plainest account of who must wait. */
export class World {
  readonly clock = new FakeClock();
  readonly held: Held[] = [];
  readonly entries: Entry[] = [];
  readonly #fairShare = new FairShare();
  readonly #limits = new Map<string, number>();
  readonly queue = new Queue({
    limits: () => ({ ...ROOM, ageingMs: AGEING_MS }),
    clock: this.clock,
    wheel: new Deadlines(this.clock),
    fairShare: this.#fairShare,
    placementsOf: (user) => this.#placementsOf(user),
  });

  get waiting(): Entry[] {
    return this.entries.filter(({ ends }) => ends.length === 0);
  }

  /** As a newcomer does: takes a slot if nobody of its class is before it, else waits. */
  send(sent: Sent): void {
    const { user, classKey, band, bytes, stepTicks, isRetry } = sent;
    const model = classKey.slice(-1);
    const isOpen = this.queue.isOpenFor(classKey);
    if (isOpen && this.#take(user, model)) return;
    const account = this.#fairShare.of(user, model);
    const acceptedAtMs = this.clock.now();
    const deadlineAtMs = acceptedAtMs + 6 * stepTicks * TICK_MS;
    const entry: Entry = {
      ...{ ...sent, model, account, acceptedAtMs, deadlineAtMs, ends: [] },
      sequence: this.entries.length,
      waiter: undefined as never,
    };
    const isRefused = !isRetry && this.#lacksRoom(user, bytes);
    const wait = () =>
      this.queue.wait({
        ...{ user, classKey, model, band, bytes, acceptedAtMs, deadlineAtMs, isRetry },
        atUserLimit: isOpen && this.#freeWorker(user, model, Infinity) !== undefined,
        place: () => this.#place(entry),
        onEnd: (end) => entry.ends.push(end),
      });
    if (isRefused) {
      expect(wait).toThrow(RouterError);
      return;
    }
    entry.waiter = wait();
    this.entries.push(entry);
  }

  finish(held: Held, tokens: number | null): void {
    this.held.splice(this.held.indexOf(held), 1);
    const account = this.#fairShare.of(held.user, held.model);
    const usage = { promptTokens: tokens, completionTokens: tokens };
    this.#fairShare.settle(account, held.charged, usage);
    this.queue.reorder(account);
    const models: readonly string[] = held.worker.models;
    this.queue.slotFreed(held.worker.placement, (model) => models.includes(model));
  }

  setLimit(user: string, placements: number): void {
    this.#limits.set(user, placements);
    this.queue.pump({ alsoParked: true });
  }

  /** What must be true after whatever happened. */
  check(): void {
    const { waiting, queue, clock } = this;
    expect(queue.size).toBe(waiting.length);
    expect(queue.bytes).toBe(waiting.reduce((sum, { bytes }) => sum + bytes, 0));
    for (const band of [1, 2, 3, 4, 5]) {
      expect(queue.sizeOfBand(band)).toBe(waiting.filter((entry) => entry.band === band).length);
    }
    for (const { waiter } of waiting) expect(waiter.position()).toBeGreaterThanOrEqual(1);
    const over = this.entries.filter(({ ends }) => ends.length > 0);
    for (const { waiter, ends } of over) {
      expect(ends).toHaveLength(1);
      expect([waiter.position(), waiter.startsInMs()]).toEqual([null, null]);
    }
    expect(waiting.filter(({ deadlineAtMs }) => deadlineAtMs <= clock.now())).toEqual([]);
    // No slot is free that somebody could take who waits.
    expect(waiting.filter((entry) => this.#couldTake(entry))).toEqual([]);
  }

  #place(entry: Entry): Placing {
    const { user, model } = entry;
    if (!this.#couldTake(entry)) {
      return this.#freeWorker(user, model, Infinity) ? "user_limit" : "no_slot";
    }
    this.#checkTurn(entry);
    this.#take(user, model);
    return "placed";
  }

  #take(user: string, model: string): boolean {
    const worker = this.#freeWorker(user, model, this.#limits.get(user) ?? 2);
    if (!worker) return false;
    const account = this.#fairShare.of(user, model);
    this.held.push({ user, model, worker, charged: this.#fairShare.charge(account) });
    this.queue.reorder(account);
    return true;
  }

  #couldTake({ user, model }: Entry): boolean {
    return this.#freeWorker(user, model, this.#limits.get(user) ?? 2) !== undefined;
  }

  #freeWorker(user: string, model: string, limit: number): Held["worker"] | undefined {
    const mine = this.#placementsOf(user);
    return WORKERS.find(({ models, slots, placement }, index) => {
      const serves = (models as readonly string[]).includes(model);
      const taken = this.held.filter(({ worker }) => worker === WORKERS[index]).length;
      return serves && taken < slots && (mine.size < limit || mine.has(placement));
    });
  }

  #placementsOf(user: string): Set<number> {
    const mine = this.held.filter((held) => held.user === user);
    return new Set(mine.map(({ worker }) => worker.placement));
  }

  /** Of all who could take the slot it has the highest band, or somebody rose to that from below. */
  #checkTurn(entry: Entry): void {
    const could = this.waiting.filter((other) => this.#couldTake(other));
    const highest = Math.max(...could.map(({ band }) => band));
    const risen = this.waiting.filter((other) => this.#levelOf(other) >= highest);
    const lowest = Math.min(highest, ...risen.map(({ band }) => band));
    expect(entry.band).toBeGreaterThanOrEqual(lowest);
    // Below the highest band it is a turn by fairness, among all of its band and above.
    const rivals = could.filter(({ band }) => band >= entry.band);
    expect(rivals.filter((rival) => goesBefore(rival, entry))).toEqual([]);
  }

  #levelOf({ band, acceptedAtMs, stepTicks }: Entry): number {
    const stepMs = Math.min(AGEING_MS, stepTicks * TICK_MS);
    return Math.min(5, band + Math.floor((this.clock.now() - acceptedAtMs) / stepMs));
  }

  #lacksRoom(user: string, bytes: number): boolean {
    const { maxRequests, maxBytes, userShare } = ROOM;
    const mine = this.waiting.filter((entry) => entry.user === user);
    const myBytes = mine.reduce((sum, entry) => sum + entry.bytes, bytes);
    const isFull = this.queue.size >= maxRequests || this.queue.bytes + bytes > maxBytes;
    const tooMuch = mine.length > 0 && myBytes > maxBytes * userShare;
    return isFull || tooMuch || mine.length >= maxRequests * userShare;
  }
}

function goesBefore(a: Entry, b: Entry): boolean {
  if (a.account.served !== b.account.served) return a.account.served < b.account.served;
  if (a.acceptedAtMs !== b.acceptedAtMs) return a.acceptedAtMs < b.acceptedAtMs;
  return a.sequence < b.sequence;
}
