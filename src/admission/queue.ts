import type { Clock, Timer } from "../clock.ts";
import type { Account, FairShare } from "./fair-share.ts";
import { RouterError } from "../errors.ts";
import { nextTurn } from "./next-turn.ts";
import { Parked } from "./parked.ts";
import { Place, type PlaceKeeper, type WaitEnd, type Waiter, type WaitRequest } from "./place.ts";
import { queueFullError, QueueRoom, type RoomLimits } from "./queue-room.ts";
import { WaitingClass } from "./waiting-class.ts";

export interface QueueLimits extends RoomLimits {
  /** queue.ageing; of those who come from now on. */
  readonly ageingMs: number;
}

export interface QueueOptions {
  readonly limits: () => QueueLimits;
  readonly clock: Clock;
  /** One timer for all who wait. */
  readonly wheel: { at(atMs: number, run: () => void): Timer };
  readonly fairShare: FairShare;
  /** The placements that a user occupies now. */
  readonly placementsOf: (user: string) => Iterable<number>;
}

/** Each class is asked whenever a slot is free: models, paths and needs are the clients' choice. */
const CLASSES_MAX = 256;
/** A user who was away, or asks for little, may have all turns of so long a time before the others. */
const HEAD_START_MS = 10_000;
/** Many turns at one moment, as when a worker comes back, say nothing of how many are to come. */
const HEAD_START_TURNS = 1000;

/**
 * Where requests wait for a slot: strict bands with ageing, fair between users inside a band, first
 * come first served within a user. The worker is chosen when the turn comes, and not before.
 */
export class Queue {
  readonly #options: QueueOptions;
  readonly #classes = new Map<string, WaitingClass>();
  readonly #parked = new Parked();
  readonly #room: QueueRoom;
  readonly #keeper: PlaceKeeper;
  #sequence = 0;
  #pumping = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#room = new QueueRoom(options.limits);
    this.#keeper = {
      nowMs: () => options.clock.now(),
      end: (place, end) => this.#end(place, end),
      alike: ({ within }) =>
        [...this.#classes.values()].filter(({ model }) => model === within.model),
    };
  }

  /** False: the operator wants no queue, and nothing ever waits. */
  get isOn(): boolean {
    return this.#options.limits().maxRequests > 0;
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
    return this.#room.size === 0 || (this.#classes.get(classKey)?.highestBand ?? 0) === 0;
  }

  /** Throws QUEUE_FULL where so many more of this user's would not fit. */
  checkRoom(user: string, requests: number, bytes: number): void {
    const lack = this.#room.lack(user, requests, bytes);
    if (lack === null) return;
    const nowMs = this.#options.clock.now();
    const paces = [...this.#classes.values()].map((within) => within.intervalMs(nowMs));
    throw queueFullError(lack, Math.min(...paces.map((pace) => pace ?? Infinity)));
  }

  /** Throws INVALID_REQUEST where so many of one user's can never wait at once, else as `checkRoom`. */
  checkRoomForBatch(user: string, requests: number, bytes: number): void {
    const { most } = this.#room;
    if (requests > most.requests || bytes > most.bytes) {
      const message =
        `a batch of ${requests} requests with ${bytes} bytes can never wait whole: at most ` +
        `${most.requests} with ${most.bytes} bytes of one user may (queue.user_share); split it`;
      throw new RouterError("INVALID_REQUEST", message, { param: "requests" });
    }
    this.checkRoom(user, requests, bytes);
  }

  #checkRoomFor({ user, bytes, classKey }: WaitRequest): void {
    this.checkRoom(user, 1, bytes);
    if (this.#classes.size < CLASSES_MAX || this.#classes.has(classKey)) return;
    throw queueFullError(`${CLASSES_MAX} kinds of request wait, each for other workers`, Infinity);
  }

  /** Throws QUEUE_FULL. `place` is not called before the next `pump`. */
  wait(request: WaitRequest): Waiter {
    const { user, classKey, model, band } = request;
    if (!request.isRetry) this.#checkRoomFor(request);
    const { fairShare, clock } = this.#options;
    const account = fairShare.of(user, model);
    const within = this.#classes.get(classKey) ?? new WaitingClass(classKey, model);
    this.#classes.set(classKey, within);
    const sequence = (this.#sequence += 1);
    const { ageingMs } = this.#options.limits();
    const queue = this.#keeper;
    const place = new Place({ request, within, account, sequence, ageingMs, queue });
    this.#room.enter(request);
    account.waiting += 1;
    if (!within.hasLineOf(account, band)) {
      const intervalMs = within.intervalMs(clock.now());
      const headTurns = Math.min(HEAD_START_MS / (intervalMs ?? Infinity), HEAD_START_TURNS);
      fairShare.lift(account, within.leastServedIn(band), headTurns);
      this.reorder(account);
    }
    within.add(place);
    if (request.atUserLimit) this.#parked.park(account, within, this.#options.placementsOf(user));
    this.#watch(place);
    return place;
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
    for (let turn = nextTurn(open); turn; turn = nextTurn(open)) {
      const { within, waiting, isFair } = turn;
      const { account } = waiting;
      const placing = (waiting as Place).request.place();
      if (placing === "no_slot") open.splice(open.indexOf(within), 1);
      else if (placing === "user_limit") {
        this.#parked.park(account, within, this.#options.placementsOf(account.user));
      } else {
        if (placing === "placed") {
          for (const each of open) each.hadFairTurn = isFair;
          within.departed(waiting, this.#options.clock.now());
        }
        this.#end(waiting as Place, placing);
      }
    }
  }

  #end(place: Place, end: WaitEnd): void {
    if (place.isOver) return;
    place.isOver = true;
    place.timer?.cancel();
    const { within, request } = place;
    within.remove(place);
    if (within.size === 0) this.#classes.delete(within.key);
    this.#room.leave(place.request);
    place.account.waiting -= 1;
    request.onEnd(end);
  }

  /** Until it rises, or its time is over. */
  #watch(place: Place): void {
    const { clock, wheel } = this.#options;
    place.timer = wheel.at(place.changesAtMs, () => {
      if (clock.now() >= place.request.deadlineAtMs) return this.#end(place, "expired");
      place.within.rise(place, place.levelNow());
      this.#watch(place);
    });
  }
}
