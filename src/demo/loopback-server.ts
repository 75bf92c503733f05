import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const LOOPBACK = "127.0.0.1";

/** Longer than any client keeps an idle connection, so that it is the client that closes it. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

export interface LoopbackServer {
  /** Origin without a trailing slash. */
  readonly url: string;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** Serves on a free port that only this machine can reach. */
export async function listenOnLoopback(handle: RequestListener): Promise<LoopbackServer> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS }, handle);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, LOOPBACK, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${LOOPBACK}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * null when more than `limitBytes` came; the rest is read and dropped, as a client that is cut off
 * while it sends would see a reset instead of the answer. Rejects when the client goes away.
 */
export async function readBody(
  request: IncomingMessage,
  limitBytes: number,
): Promise<string | null> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes <= limitBytes) chunks.push(chunk);
  }
  return sizeBytes <= limitBytes ? Buffer.concat(chunks).toString("utf8") : null;
}

export function sendText(
  response: ServerResponse,
  status: number,
  content: { readonly type: string; readonly text: string },
): void {
  const body = Buffer.from(content.text);
  response.writeHead(status, { "content-type": content.type, "content-length": body.length });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendText(response, status, { type: "application/json", text: JSON.stringify(value) });
}
