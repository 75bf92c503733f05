import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestRouter } from "./test-router.ts";

/** A connection on which a test writes what it likes, and sees all that comes back. */
export class RawConnection {
  readonly socket: Socket;
  received = "";
  /** Resolves when the connection is over, however it ended. */
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text) => (this.received += String(text)));
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
  }

  static async open(port: number): Promise<RawConnection> {
    const connection = new RawConnection(port);
    await once(connection.socket, "connect");
    return connection;
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Of the answers that came so far. */
  get statuses(): readonly number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
  }
}

/** The head of a POST with the user's key, up to the headers about its body. */
export function chatHead({ keys }: Pick<TestRouter, "keys">, ...lines: readonly string[]): string {
  return [
    "POST /v1/chat/completions HTTP/1.1",
    "Host: router",
    `Authorization: Bearer ${keys.user}`,
    "Content-Type: application/json",
    ...lines,
    "",
  ].join("\r\n");
}
