import { createServer } from "node:http";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { readBody } from "./stub-server.ts";

export interface ReceivedCallback {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string | null;
}

/** A receiver of callbacks on loopback that counts every connection, whatever comes of it. */
export class CallbackReceiver {
  connections = 0;
  port = 0;
  /** In order of arrival. */
  readonly received: ReceivedCallback[] = [];
  /** How it answers, once the request was read. */
  answer: RequestListener = (_request, response) => void response.writeHead(204).end();
  /** Of the first connection since it was muted. */
  firstBytes: Buffer = Buffer.alloc(0);
  readonly #open = new Set<Socket>();
  readonly #server = createServer((request, response) => {
    void readBody(request).then((body) => {
      this.received.push({ path: request.url ?? "", headers: request.headers, body });
      return this.answer(request, response);
    });
  });

  get openConnections(): number {
    return this.#open.size;
  }

  async listen(): Promise<this> {
    this.#server.on("connection", (socket: Socket) => this.#note(socket));
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** From now on connections are accepted and read, and nothing is ever said on them. */
  muteConnections(): void {
    this.#server.removeAllListeners("connection").on("connection", (socket: Socket) => {
      this.#note(socket);
      socket.once("data", (bytes: Buffer) => void (this.firstBytes = bytes));
      socket.once("end", () => socket.end());
    });
  }

  #note(socket: Socket): void {
    this.connections++;
    this.#open.add(socket);
    // Callers that leave early are what some tests are about.
    socket.on("error", () => {});
    socket.once("close", () => this.#open.delete(socket));
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
