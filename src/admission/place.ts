import type { Timer } from "../clock.ts";
import type { Account } from "./fair-share.ts";
import { HIGHEST_BAND, type Waiting, type WaitingClass } from "./waiting-class.ts";

/**
 * placed: it has its slot, and leaves. no_slot: nobody can take it now, nor any other of its class.
 * user_limit: only its user's gpu_limit is in the way. never: waiting cannot help any more.
 */
export type Placing = "placed" | "no_slot" | "user_limit" | "never";

/** expired: at its deadline. left: cancelled, or its client has gone. */
export type WaitEnd = "placed" | "never" | "expired" | "left";

export interface WaitRequest {
  readonly user: string;
  /** Requests of one class can be taken by the same workers. */
  readonly classKey: string;
  readonly model: string;
  readonly band: number;
  readonly bytes: number;
  readonly acceptedAtMs: number;
  readonly deadlineAtMs: number;
  /** A further attempt: it was let in before, so that a full queue cannot refuse it. */
  readonly isRetry: boolean;
  /** Its user's gpu_limit alone kept it from a slot just now: it stands in nobody's way. */
  readonly atUserLimit: boolean;
  /** Takes a slot if one is free now. Called when its turn has come; must not throw. */
  readonly place: () => Placing;
  /** Called exactly once, in the tick of the end. */
  readonly onEnd: (end: WaitEnd) => void;
}

/** One who waits. */
export interface Waiter {
  /** Cancelled, or nobody waits for the answer any more. After its end it does nothing. */
  leave(): void;
  /** 1 = next; null once it has left. */
  position(): number | null;
  /** Until its turn comes, at the pace of late; null = not known. */
  startsInMs(): number | null;
}

/** A wait is six steps long at most, so that each request rises above all bands before its deadline. */
const STEPS_OF_A_WAIT = 6;

export interface PlaceTerms {
  readonly request: WaitRequest;
  readonly within: WaitingClass;
  readonly account: Account;
  readonly sequence: number;
  readonly ageingMs: number;
  readonly queue: PlaceKeeper;
}

/** What a place needs of the queue that it is in. */
export interface PlaceKeeper {
  nowMs(): number;
  end(place: Place, end: WaitEnd): void;
  /** The classes that wait for the model of this place, its own included. */
  alike(place: Place): readonly WaitingClass[];
}

/** One request in the queue. A class and no closures: very many of them may be there. */
export class Place implements Waiting, Waiter {
  previous: Waiting | null = null;
  next: Waiting | null = null;
  level: number;
  isOver = false;
  /** Until it rises, or its time is over. */
  timer: Timer | null = null;
  readonly account: Account;
  readonly acceptedAtMs: number;
  readonly sequence: number;
  readonly band: number;
  readonly request: WaitRequest;
  readonly within: WaitingClass;
  readonly #stepMs: number;
  readonly #queue: PlaceKeeper;

  constructor({ request, within, account, sequence, ageingMs, queue }: PlaceTerms) {
    const { acceptedAtMs, deadlineAtMs, band } = request;
    this.account = account;
    this.acceptedAtMs = acceptedAtMs;
    this.sequence = sequence;
    this.band = band;
    this.request = request;
    this.within = within;
    this.#stepMs = Math.min(ageingMs, (deadlineAtMs - acceptedAtMs) / STEPS_OF_A_WAIT);
    this.#queue = queue;
    this.level = this.levelNow();
  }

  /** The band to which it has risen by waiting. */
  levelNow(): number {
    const waitedMs = this.#queue.nowMs() - this.acceptedAtMs;
    return Math.min(HIGHEST_BAND, this.band + Math.floor(waitedMs / this.#stepMs));
  }

  /** When it rises further, or its time is over. */
  get changesAtMs(): number {
    if (this.level === HIGHEST_BAND) return this.request.deadlineAtMs;
    return this.acceptedAtMs + (this.level - this.band + 1) * this.#stepMs;
  }

  leave(): void {
    this.#queue.end(this, "left");
  }

  position(): number | null {
    return this.isOver ? null : this.within.positionOf(this, this.#queue.alike(this));
  }

  startsInMs(): number | null {
    if (this.isOver) return null;
    return this.within.startsInMs(this, this.#queue.nowMs(), this.#queue.alike(this));
  }
}
