import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { STATUS_CODES } from "node:http";
import { errorBody, RouterError } from "../errors.ts";
import { isUnheard } from "./connections.ts";
import type { OnError } from "./error-handler.ts";
import { bodyLimitBytes } from "./read-body.ts";

/** Limits of the HTTP server itself, for Fastify's constructor. */
export function httpServerOptions(bodyLimitMb: number) {
  return {
    http: {
      // Of the request line and all headers together; room for long tokens of tracing tools.
      maxHeaderSize: 16 * 1024,
      // A client that drips its headers holds a connection for no longer than this.
      headersTimeout: 10_000,
      // How often the two timeouts are looked at: they fire at most this much late.
      connectionsCheckingInterval: 5_000,
      // The guard refuses a missing Host, in the form of our errors; Node's own answer is empty.
      requireHostHeader: false,
    },
    bodyLimit: bodyLimitBytes(bodyLimitMb),
    // For the whole request with its body to arrive; the answer may take longer.
    requestTimeout: 30_000,
    // Longer than the 60 s after which common balancers drop idle connections: were it shorter, a
    // balancer could send a request into a connection that we are just closing.
    keepAliveTimeout: 75_000,
    routerOptions: {
      // One route, one path: /health/ is not /health.
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      caseSensitive: true,
      // Ids of models and jobs are path parameters; Hugging Face names exceed the default of 100.
      maxParamLength: 256,
    },
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
    // Fastify's answer while closing is not in our form; the drain has its own refusal.
    return503OnClosing: false,
  } as const;
}

/**
 * Answers what is not even HTTP: no request exists, so no hook runs. The error is not logged,
 * because it carries the raw bytes, and with them the client's key.
 */
export function answerMalformed(
  { code }: Error & { readonly code?: string },
  socket: Socket,
  onError: OnError,
): void {
  // The end of a request that is not read any more does not come, and others are still answered.
  if (code === "ERR_HTTP_REQUEST_TIMEOUT" && isUnheard(socket)) return;
  if (code === "ECONNRESET" || !socket.writable || isMidAnswer(socket)) {
    socket.destroy();
    return;
  }
  const { status, message } = explain(code);
  const requestId = randomUUID();
  const refusal = new RouterError("INVALID_REQUEST", message);
  onError(refusal);
  const body = JSON.stringify(errorBody(refusal, requestId));
  const head = [
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ""}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${String(Buffer.byteLength(body))}`,
    `x-request-id: ${requestId}`,
    "connection: close",
  ].join("\r\n");
  // The server keeps half-closed sockets, so ours is closed as soon as the answer is out.
  socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
}

function explain(code: string | undefined): { readonly status: number; readonly message: string } {
  if (code === "HPE_HEADER_OVERFLOW") {
    return { status: 431, message: "the headers are larger than 16 KiB, or too many" };
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return { status: 408, message: "the request did not arrive in time" };
  }
  return { status: 400, message: "this is not a valid HTTP/1.1 request" };
}

/** True while an earlier request on this connection is being answered: more text would corrupt it. */
function isMidAnswer(socket: Socket): boolean {
  const { _httpMessage: answer } = socket as Socket & {
    readonly _httpMessage?: { readonly headersSent: boolean } | null;
  };
  return answer?.headersSent === true;
}
