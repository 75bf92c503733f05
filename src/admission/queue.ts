import type { Clock, Timer } from "../clock.ts";
import type { Account, FairShare } from "./fair-share.ts";
import { Parked } from "./parked.ts";
import { queueFullError, QueueRoom, type RoomOptions } from "./queue-room.ts";
import { firstOf, HIGHEST_LEVEL, WaitingClass, type Waiting } from "./waiting-class.ts";

export interface QueueOptions extends RoomOptions {
  readonly clock: Clock;
  /** One timer for all who wait. */
  readonly wheel: { at(atMs: number, run: () => void): Timer };
  readonly fairShare: FairShare;
  /** queue.ageing. */
  readonly ageingMs: number;
  /** The placements that a user occupies now. */
  readonly placementsOf: (user: string) => Iterable<number>;
}

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

interface Place extends Waiting {
  readonly request: WaitRequest;
  readonly within: WaitingClass;
  readonly stepMs: number;
  timer: Timer | null;
  isOver: boolean;
}

/**
 * Where requests wait for a slot: strict bands with ageing, fair between users inside a band, first
 * come first served within a user. The worker is chosen when the turn comes, and not before.
 */
export class Queue {
  readonly #options: QueueOptions;
  readonly #classes = new Map<string, WaitingClass>();
  readonly #parked = new Parked();
  readonly #room: QueueRoom;
  #sequence = 0;
  #pumping = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#room = new QueueRoom(options);
  }

  /** False: the operator wants no queue, and nothing ever waits. */
  get isOn(): boolean {
    return this.#options.maxRequests > 0;
  }

  get size(): number {
    return this.#room.size;
  }

  /** By the band that the requests asked for, not by that to which they rose. */
  sizeOfBand(band: number): number {
    return this.#room.sizeOfBand(band);
  }

  /** Of requests for one of these models. */
  sizeFor(models: { has(model: string): boolean }): number {
    let size = 0;
    for (const within of this.#classes.values()) if (models.has(within.model)) size += within.size;
    return size;
  }

  get bytes(): number {
    return this.#room.bytes;
  }

  /** Whether a newcomer may ask for a slot at once: nobody of its class who could take it waits. */
  isOpenFor(classKey: string): boolean {
    return this.#room.size === 0 || this.#classes.get(classKey)?.first === undefined;
  }

  /** Throws QUEUE_FULL where so many more of this user's would not fit. */
  checkRoom(user: string, requests: number, bytes: number): void {
    const lack = this.#room.lack(this.#options.fairShare.of(user), requests, bytes);
    if (lack === null) return;
    const nowMs = this.#options.clock.now();
    const paces = [...this.#classes.values()].map((within) => within.startsInMs(1, nowMs));
    throw queueFullError(lack, Math.min(...paces.map((pace) => pace ?? Infinity)));
  }

  /** Throws QUEUE_FULL. `place` is not called before the next `pump`. */
  wait(request: WaitRequest): Waiter {
    const { user, classKey, model, bytes, acceptedAtMs, deadlineAtMs } = request;
    if (!request.isRetry) this.checkRoom(user, 1, bytes);
    const account = this.#options.fairShare.of(user);
    const within = this.#classes.get(classKey) ?? new WaitingClass(classKey, model);
    this.#classes.set(classKey, within);
    const stepMs = Math.min(
      this.#options.ageingMs,
      (deadlineAtMs - acceptedAtMs) / STEPS_OF_A_WAIT,
    );
    const sequence = (this.#sequence += 1);
    const order = { account, acceptedAtMs, sequence, level: 0, heapIndex: -1 };
    const place: Place = { ...order, request, within, stepMs, timer: null, isOver: false };
    place.level = this.#levelOf(place);
    this.#room.enter(place);
    this.#join(place);
    if (request.atUserLimit) this.#parked.park(account, within, this.#options.placementsOf(user));
    this.#watch(place);
    return {
      leave: () => this.#end(place, "left"),
      position: () => (place.isOver ? null : within.positionOf(place)),
      startsInMs: () => {
        if (place.isOver) return null;
        return within.startsInMs(within.positionOf(place), this.#options.clock.now());
      },
    };
  }

  /** A slot became free on this placement: gives it to whoever is next for that worker's models. */
  slotFreed(placement: number, serves: (model: string) => boolean): void {
    const released = this.#parked.releaseOn(placement);
    if (this.#room.size === 0) return;
    this.#pump((within) => released || serves(within.model));
  }

  /**
   * Something else changed: everyone may have a chance. Users at their gpu_limit only if their limits, or
   * the workers, may have changed.
   */
  pump({ alsoParked }: { readonly alsoParked: boolean }): void {
    if (alsoParked) this.#parked.releaseAll();
    if (this.#room.size === 0) return;
    this.#pump(() => true);
  }

  /** What the account was served has changed. */
  reorder(account: Account): void {
    for (const line of account.lines) line.show();
  }

  #pump(mayBeServed: (within: WaitingClass) => boolean): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      this.#serve([...this.#classes.values()].filter(mayBeServed));
    } finally {
      this.#pumping = false;
    }
  }

  #serve(open: WaitingClass[]): void {
    for (;;) {
      const place = firstOf(open) as Place | undefined;
      if (!place) return;
      const { within, account, request } = place;
      const placing = request.place();
      if (placing === "no_slot") open.splice(open.indexOf(within), 1);
      else if (placing === "user_limit") {
        this.#parked.park(account, within, this.#options.placementsOf(account.user));
      } else this.#end(place, placing);
    }
  }

  #end(place: Place, end: WaitEnd): void {
    if (place.isOver) return;
    place.isOver = true;
    place.timer?.cancel();
    const { within, request } = place;
    if (end === "placed") within.departed(this.#options.clock.now());
    within.remove(place);
    if (within.size === 0) this.#classes.delete(within.key);
    this.#room.leave(place);
    request.onEnd(end);
  }

  /**
   * Who is new at a level begins with those who wait there. Else a user that waited long where others
   * go first, or for workers that are down, would have every slot until all that was made up for.
   */
  #join(place: Place): void {
    const { within, account, level } = place;
    if (!within.hasLineOf(account, level)) {
      this.#options.fairShare.lift(account, within.leastServedAt(level));
      this.reorder(account);
    }
    within.add(place);
  }

  #levelOf({ request, stepMs }: Place): number {
    const waitedMs = this.#options.clock.now() - request.acceptedAtMs;
    return Math.min(HIGHEST_LEVEL, request.band + Math.floor(waitedMs / stepMs));
  }

  /** Until it rises, or its time is over. */
  #watch(place: Place): void {
    const { request, stepMs, level } = place;
    const { acceptedAtMs, deadlineAtMs, band } = request;
    const risesAtMs =
      level === HIGHEST_LEVEL ? Infinity : acceptedAtMs + (level - band + 1) * stepMs;
    const atMs = Math.min(risesAtMs, deadlineAtMs);
    place.timer = this.#options.wheel.at(atMs, () => {
      if (this.#options.clock.now() >= deadlineAtMs) return this.#end(place, "expired");
      place.within.remove(place);
      place.level = this.#levelOf(place);
      this.#join(place);
      this.#watch(place);
    });
  }
}
