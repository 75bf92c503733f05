import { timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import type { Identity, KeyDirectory } from "./keys.ts";

interface Latest {
  readonly keys: KeyDirectory;
  readonly key: Buffer;
  readonly identity: Identity;
}

/**
 * The good key that each connection brought last. Clients keep their connections, and amid a request
 * the digest of the same key once more costs as much as the choice of a worker.
 */
export class LatestKeys {
  readonly #byConnection = new WeakMap<Socket, Latest>();

  /** As `keys.find`. What was found in a directory counts for as long as it is the one asked. */
  find(key: string, connection: Socket, keys: KeyDirectory): Identity | null {
    const latest = this.#byConnection.get(connection);
    const bytes = Buffer.from(key);
    if (latest?.keys === keys && isSame(latest.key, bytes)) return latest.identity;
    const identity = keys.find(key);
    if (identity !== null) this.#byConnection.set(connection, { keys, key: bytes, identity });
    return identity;
  }
}

/** In constant time: behind a proxy the connection may be another client's, too. */
function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
