import type { IncomingMessage } from "node:http";
import { RouterError } from "../errors.ts";

/** `body` is empty where there is an error. */
export type BodyRead = (error: RouterError | null, body: Buffer) => void;

/**
 * The body of a request as it came, for routes that pass it on. The framework's own reader is made for
 * parsers: its async resource and its copy cost a request more than the choice of a worker.
 * Calls back once, with BODY_TOO_LARGE or INVALID_REQUEST where there is no whole body.
 */
export function readBody(request: IncomingMessage, limitMb: number, done: BodyRead): void {
  const limitBytes = bodyLimitBytes(limitMb);
  if (Number(request.headers["content-length"]) > limitBytes) {
    done(bodyTooLarge(limitMb), NOTHING);
    return;
  }
  let chunks: Buffer[] = [];
  let bytes = 0;
  let isOver = false;
  const end = (error: RouterError | null): void => {
    if (isOver) return;
    isOver = true;
    done(error, error === null ? joined(chunks) : NOTHING);
    chunks = [];
  };
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limitBytes) end(bodyTooLarge(limitMb));
    else chunks.push(chunk);
  });
  request.on("end", () => end(null));
  // Nobody is left to read this one; it keeps clients that vanish out of the error log.
  request.on("error", () => end(new RouterError("INVALID_REQUEST", "the body ended early")));
}

export function bodyLimitBytes(limitMb: number): number {
  return Math.ceil(limitMb * 1024 * 1024);
}

export function bodyTooLarge(limitMb: number): RouterError {
  return new RouterError(
    "BODY_TOO_LARGE",
    `the body is too large: api.body_limit_mb is ${limitMb}`,
  );
}

const NOTHING = Buffer.alloc(0);

/** Most bodies come in one piece, which need not be copied. */
function joined(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
