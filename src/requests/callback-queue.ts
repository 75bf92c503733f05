import { until, type Clock, type Timer } from "../clock.ts";
import type { Log } from "../log.ts";
import { nextAttemptInMs } from "./callback-schedule.ts";

/** What a job's owner is told, and where. */
export interface Callback {
  /** The same in every attempt. */
  readonly id: string;
  readonly url: URL;
  readonly user: string;
  readonly requestId: string;
  readonly body: string;
}

/** One attempt. Never rejects: every end is a result. */
export type Post = (callback: Callback, signal: AbortSignal) => Promise<PostResult>;

export type PostResult =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly retryAfterMs: number | null;
    }
  | {
      readonly kind: "failed";
      readonly why: string;
      /** True: another attempt would fail just so. */
      readonly isFinal: boolean;
    };

export interface CallbackQueueDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly post: Post;
  readonly random: () => number;
}

/** Callbacks waiting or being sent. Beyond it, the user with the most loses the oldest. */
const PENDING_MAX = 10_000;
/** Each holds a socket, and those are limited. */
const IN_FLIGHT_MAX = 128;
const IN_FLIGHT_PER_HOST_MAX = 4;
/** A host that failed so often in a row gets one callback at a time, until it takes one. */
const FAILURES_UNTIL_CAREFUL = 5;
const GONE = 410;

/** One host's callbacks. */
interface Lane {
  readonly host: string;
  /** Those that are due, in order. */
  readonly due: Set<Delivery>;
  /** All that are not over. */
  pending: number;
  inFlight: number;
  failuresInARow: number;
}

interface Delivery {
  readonly callback: Callback;
  readonly lane: Lane;
  attempts: number;
  /** Until the next attempt is due. */
  timer: Timer | null;
  /** Of the attempt under way. */
  abort: AbortController | null;
}

/** Sends each callback until it is taken or given up, so that no host and no user holds up others. */
export class CallbackQueue {
  readonly #deps: CallbackQueueDeps;
  readonly #lanes = new Map<string, Lane>();
  /** By user, oldest first. Users stay: they are those of callbacks.secrets. */
  readonly #pending = new Map<string, Set<Delivery>>();
  #pendingCount = 0;
  /** Lanes that have something due and may send it; they take turns. */
  readonly #ready = new Set<Lane>();
  readonly #inFlight = new Map<Delivery, Promise<void>>();
  #isFinishing = false;
  #isClosed = false;

  constructor(deps: CallbackQueueDeps) {
    this.#deps = deps;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  add(callback: Callback): void {
    if (this.#isClosed) return;
    const lane = this.#laneOf(callback.url.hostname);
    const delivery: Delivery = { callback, lane, attempts: 0, timer: null, abort: null };
    const ofUser = this.#pending.get(callback.user) ?? new Set();
    this.#pending.set(callback.user, ofUser.add(delivery));
    this.#pendingCount++;
    lane.pending++;
    if (this.#pendingCount > PENDING_MAX) this.#dropOne();
    this.#due(delivery);
  }

  /**
   * Before the close: what is due or being sent gets this attempt, and nothing gets another one.
   * Resolves when that is over, at the latest after `withinMs`.
   */
  async finish(withinMs: number): Promise<void> {
    this.#isFinishing = true;
    await until(this.#deps.clock, () => this.#inFlight.size === 0, withinMs);
  }

  /** Ends what is under way and forgets the rest. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#pendingCount > 0) {
      this.#deps.log.warn({ callbacks: this.#pendingCount }, "callbacks lost in the stop");
    }
    for (const ofUser of this.#pending.values()) {
      for (const delivery of ofUser) this.#forget(delivery);
    }
    await Promise.all(this.#inFlight.values());
  }

  #due(delivery: Delivery): void {
    delivery.timer = null;
    if (this.#isFinishing && delivery.attempts > 0) return;
    delivery.lane.due.add(delivery);
    this.#wake(delivery.lane);
  }

  #wake(lane: Lane): void {
    if (lane.due.size > 0 && lane.inFlight < roomOf(lane)) this.#ready.add(lane);
    // A lane that is ready again stands behind the others, and the loop comes to it.
    for (const next of this.#ready) {
      if (this.#inFlight.size >= IN_FLIGHT_MAX) return;
      this.#ready.delete(next);
      this.#startOne(next);
      if (next.due.size > 0 && next.inFlight < roomOf(next)) this.#ready.add(next);
    }
  }

  #startOne(lane: Lane): void {
    const [delivery] = lane.due;
    if (!delivery) return;
    lane.due.delete(delivery);
    lane.inFlight++;
    delivery.attempts++;
    this.#inFlight.set(delivery, this.#attempt(delivery));
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const { callback, lane } = delivery;
    delivery.abort = new AbortController();
    const result = await this.#deps.post(callback, delivery.abort.signal);
    delivery.abort = null;
    this.#inFlight.delete(delivery);
    lane.inFlight--;
    if (this.#isPending(delivery)) this.#judge(delivery, result);
    this.#wake(lane);
  }

  #judge(delivery: Delivery, result: PostResult): void {
    const { log, clock, random } = this.#deps;
    const { attempts, lane } = delivery;
    const { status, retryAfterMs, why, isFinal } = readResult(result);
    const fields = { ...aboutOf(delivery), attempts, why };
    if (status >= 200 && status < 300) {
      lane.failuresInARow = 0;
      this.#forget(delivery);
      log.debug(fields, "callback delivered");
      return;
    }
    lane.failuresInARow++;
    const isLast = isFinal || this.#isFinishing;
    const delayMs = isLast ? null : nextAttemptInMs({ attempts, retryAfterMs, random });
    if (delayMs === null) {
      this.#forget(delivery);
      log.warn(fields, "callback given up");
      return;
    }
    log.debug({ ...fields, delayMs }, "callback failed");
    delivery.timer = clock.after(delayMs, () => this.#due(delivery));
  }

  #dropOne(): void {
    let most: Set<Delivery> | undefined;
    for (const ofUser of this.#pending.values()) {
      if (most === undefined || ofUser.size > most.size) most = ofUser;
    }
    const [oldest] = most ?? [];
    if (!oldest) return;
    this.#forget(oldest);
    this.#deps.log.warn({ ...aboutOf(oldest), pendingMax: PENDING_MAX }, "callback dropped");
  }

  /** In whatever state it is; an attempt under way is ended. */
  #forget(delivery: Delivery): void {
    const { callback, lane } = delivery;
    this.#pending.get(callback.user)?.delete(delivery);
    this.#pendingCount--;
    lane.pending--;
    lane.due.delete(delivery);
    if (lane.due.size === 0) this.#ready.delete(lane);
    if (lane.pending === 0) this.#lanes.delete(lane.host);
    delivery.timer?.cancel();
    delivery.abort?.abort(new Error("the callback was dropped"));
  }

  #isPending(delivery: Delivery): boolean {
    return this.#pending.get(delivery.callback.user)?.has(delivery) ?? false;
  }

  #laneOf(host: string): Lane {
    let lane = this.#lanes.get(host);
    if (!lane) {
      lane = { host, due: new Set(), pending: 0, inFlight: 0, failuresInARow: 0 };
      this.#lanes.set(host, lane);
    }
    return lane;
  }
}

function roomOf({ failuresInARow }: Lane): number {
  return failuresInARow < FAILURES_UNTIL_CAREFUL ? IN_FLIGHT_PER_HOST_MAX : 1;
}

function readResult(result: PostResult) {
  if (result.kind === "failed") return { ...result, status: 0, retryAfterMs: null };
  const { status, retryAfterMs } = result;
  return { status, retryAfterMs, why: `answered ${status}`, isFinal: status === GONE };
}

/** Of the URL only the host: the rest may hold a secret of the receiver's. */
function aboutOf({ callback, lane }: Delivery) {
  return { requestId: callback.requestId, user: callback.user, host: lane.host };
}
