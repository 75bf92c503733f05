import type { Socket } from "node:net";
import type { Identity, KeyDirectory } from "./keys.ts";

interface Known {
  readonly keys: KeyDirectory;
  readonly header: string;
  readonly identity: Identity;
}

/**
 * The Authorization header with which each connection first showed a good key. Clients keep their
 * connections, and amid a request the digest of the same key once more costs more than the choice of
 * a worker. A connection of several clients, such as a proxy's, keeps to its first: the others' keys are
 * looked up each time.
 */
export class ConnectionKeys {
  readonly #byConnection = new WeakMap<Socket, Known>();

  /** The header's key was found in the directory; it is known until another one takes its place. */
  remember(connection: Socket, header: string, found: Omit<Known, "header">): void {
    if (this.#byConnection.get(connection)?.keys === found.keys) return;
    this.#byConnection.set(connection, { ...found, header });
  }

  /** null: look it up. */
  identityOf(connection: Socket, header: string, keys: KeyDirectory): Identity | null {
    const known = this.#byConnection.get(connection);
    if (known === undefined) return null;
    if (known.keys === keys) {
      return isSame(known.header, header) ? known.identity : null;
    }
    // A key that was taken out must not stay in memory for as long as its connection does.
    this.#byConnection.delete(connection);
    return null;
  }
}

/**
 * In constant time: behind a proxy the connection may be another client's, too. Two Buffers
 * for Node's own comparison would cost as much as all the rest of this.
 */
function isSame(known: string, header: string): boolean {
  if (known.length !== header.length) return false;
  let difference = 0;
  for (let at = 0; at < known.length; at++)
    difference |= known.charCodeAt(at) ^ header.charCodeAt(at);
  return difference === 0;
}
