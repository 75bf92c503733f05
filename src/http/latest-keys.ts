import { timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import type { Identity, KeyDirectory } from "./keys.ts";

interface Latest {
  readonly keys: KeyDirectory;
  readonly header: Buffer;
  readonly identity: Identity;
}

/**
 * The Authorization header with the good key that each connection brought last. Clients keep their
 * connections, and amid a request the digest of the same key once more costs more than the choice of
 * a worker.
 */
export class LatestKeys {
  readonly #byConnection = new WeakMap<Socket, Latest>();

  /** Whose header it is: good as long as the directory is the one that knew the key. */
  remember(connection: Socket, header: string, known: Omit<Latest, "header">): void {
    this.#byConnection.set(connection, { ...known, header: Buffer.from(header) });
  }

  /** null: another header than the latest, or the keys have changed. */
  identityOf(connection: Socket, header: string, keys: KeyDirectory): Identity | null {
    const latest = this.#byConnection.get(connection);
    if (latest?.keys !== keys) return null;
    return isSame(latest.header, Buffer.from(header)) ? latest.identity : null;
  }
}

/** In constant time: behind a proxy the connection may be another client's, too. */
function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
