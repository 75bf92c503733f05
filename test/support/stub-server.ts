import { createServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface StubServer {
  readonly url: string;
  readonly port: number;
  readonly openConnections: number;
  /** What is open stays open; new connections are refused. */
  stopListening(): void;
  /** Destroys every socket; the port refuses connections from then on. */
  close(): Promise<void>;
}

/** A server on loopback; `port` 0 takes a free one, an earlier one lets a dead server come back. */
export async function listenOnLoopback(port: number, handle: RequestListener): Promise<StubServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ keepAliveTimeout: 60_000 }, handle);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    get openConnections() {
      return sockets.size;
    },
    stopListening: () => void server.close(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** null: the client went away before its body was complete. */
export async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString("utf8");
}
