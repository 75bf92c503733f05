import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool, type Dispatcher } from "undici";
import { serveCpu } from "./cpu-child.ts";

/**
 * The least that a proxy in Node can do: node:http in front, undici dispatch behind, round robin,
 * the body as one Buffer and the answer in one write. No key, no parsing, no decision, no counting.
 */
const pools = process.argv.slice(2).map((url) => new Pool(url, { pipelining: 1 }));
let next = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.once("end", () => forward(request, response, Buffer.concat(chunks)));
});
server.listen(0, "127.0.0.1", () => {
  serveCpu([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
});

function forward(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const pool = pools[next++ % pools.length]!;
  const headers = ["content-type", "application/json"];
  const options = { method: "POST" as const, path: request.url ?? "/", headers, body };
  pool.dispatch(options, answerTo(response));
}

function answerTo(response: ServerResponse): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = [];
  let status = 502;
  let contentType = "";
  return {
    onRequestStart: () => {},
    onResponseStart(_controller, statusCode, headers) {
      status = statusCode;
      contentType = String(headers["content-type"]);
    },
    onResponseData: (_controller, chunk) => void chunks.push(chunk),
    onResponseEnd() {
      const body = Buffer.concat(chunks);
      const headers = ["content-type", contentType, "content-length", String(body.length)];
      response.writeHead(status, headers).end(body);
    },
    onResponseError: () => void response.writeHead(502).end(),
  };
}
