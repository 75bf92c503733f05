import { RouterError } from "../errors.ts";

export interface RoomLimits {
  /** queue.max_requests; 0 = nothing ever waits. */
  readonly maxRequests: number;
  /** queue.max_mb, of the bodies of what waits. */
  readonly maxBytes: number;
  /** queue.user_share: the largest share of both that one user may fill, 0..1. */
  readonly userShare: number;
}

interface Occupant {
  readonly user: string;
  readonly band: number;
  readonly bytes: number;
}

interface UserRoom {
  size: number;
  bytes: number;
}

/** How much waits, and how much more may. */
export class QueueRoom {
  readonly #limits: () => RoomLimits;
  readonly #sizeByBand = [0, 0, 0, 0, 0, 0];
  readonly #users = new Map<string, UserRoom>();
  size = 0;
  bytes = 0;

  /** `limits` are asked each time: a reload may change them, also below what waits already. */
  constructor(limits: () => RoomLimits) {
    this.#limits = limits;
  }

  sizeOfBand(band: number): number {
    return this.#sizeByBand[band] ?? 0;
  }

  /** What one user may have waiting, if nobody else has anything. */
  get most(): { readonly requests: number; readonly bytes: number } {
    const { maxRequests, maxBytes, userShare } = this.#limits();
    return {
      requests: Math.max(1, Math.floor(maxRequests * userShare)),
      bytes: maxBytes * userShare,
    };
  }

  /** Why so many more of this user's would not fit; null = they do. */
  lack(user: string, requests: number, bytes: number): string | null {
    const { maxRequests, maxBytes, userShare } = this.#limits();
    const mine = this.#users.get(user) ?? { size: 0, bytes: 0 };
    if (this.size + requests > maxRequests) {
      return `${this.size} of ${maxRequests} requests wait (queue.max_requests)`;
    }
    if (this.bytes + bytes > maxBytes) return "the bodies of what waits fill queue.max_mb";
    const share = `the share of ${user} (queue.user_share)`;
    if (mine.size + requests > this.most.requests) {
      return `${mine.size} requests wait, ${share}`;
    }
    // One request alone may be larger than the share: it would wait for room for ever.
    const isAlone = mine.size + requests === 1;
    const isTooMuch = !isAlone && mine.bytes + bytes > maxBytes * userShare;
    return isTooMuch ? `the bodies of what waits fill ${share}` : null;
  }

  enter(occupant: Occupant): void {
    this.#count(occupant, 1);
  }

  leave(occupant: Occupant): void {
    this.#count(occupant, -1);
  }

  #count({ user, band, bytes }: Occupant, sign: 1 | -1): void {
    this.size += sign;
    this.bytes += sign * bytes;
    this.#sizeByBand[band] = this.sizeOfBand(band) + sign;
    const mine = this.#users.get(user) ?? { size: 0, bytes: 0 };
    mine.size += sign;
    mine.bytes += sign * bytes;
    if (mine.size === 0) this.#users.delete(user);
    else this.#users.set(user, mine);
  }
}

const RETRY_AFTER_MIN_MS = 1000;
const RETRY_AFTER_MAX_MS = 60_000;

/** `placeFreeInMs`: until somebody leaves, at the pace of late; Infinity = not known. */
export function queueFullError(lack: string, placeFreeInMs: number): RouterError {
  const retryAfterMs = Math.max(RETRY_AFTER_MIN_MS, Math.min(placeFreeInMs, RETRY_AFTER_MAX_MS));
  return new RouterError("QUEUE_FULL", `the queue is full: ${lack}`, { retryAfterMs });
}
