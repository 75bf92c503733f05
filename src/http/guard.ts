import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { onRequestHookHandler } from "fastify";
import { RouterError } from "../errors.ts";

/** The parts of a request that the guard reads. */
export type RequestHead = Pick<IncomingMessage, "url" | "httpVersion" | "headers" | "rawHeaders">;

/** Refuses what two HTTP implementations could read in two ways. Before authentication. */
export const guardRequest: onRequestHookHandler = (request, reply, done) => {
  const fault = findFault(request.raw);
  if (fault === null) {
    done();
    return;
  }
  // What follows on this connection may not be what its sender takes it for.
  reply.header("connection", "close");
  done(fault);
};

/** The first reason to refuse this request, or null. */
export function findFault(head: RequestHead): RouterError | null {
  return (
    findHeaderListFault(head.rawHeaders) ??
    findHostFault(head.headers.host) ??
    findTargetFault(head.url ?? "", head.headers.host ?? "") ??
    findFramingFault(head) ??
    findBodyFault(head)
  );
}

/**
 * The client's own x-request-id if it is harmless in headers, logs and URLs, else a new one.
 * For Fastify's genReqId.
 */
export function requestIdOf(head: Pick<IncomingMessage, "headers">): string {
  const given = head.headers["x-request-id"];
  return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
}

const HEADERS_MAX = 256;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
// The underscore is not in any host name standard, but it is in the service names of Compose.
const HOST = /^[A-Za-z0-9._:[\]-]{1,261}$/;
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;
const ABSOLUTE_FORM = /^https?:\/\/([^/?]*)(.*)$/i;
/** Left in a path by the client, or hidden in it as %2e, %2f or %5c. */
const DOT_SEGMENT = /(?:^|\/)\.{1,2}(?:\/|$)/;
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for.
const CONTROL_OR_BACKSLASH = /[\u0000-\u001f\u007f\\]/;

function refuse(message: string, param?: string): RouterError {
  return new RouterError("INVALID_REQUEST", message, param === undefined ? {} : { param });
}

/** Node joins or drops repeated headers, so only the raw list shows that there were two. */
function findHeaderListFault(rawHeaders: readonly string[]): RouterError | null {
  // Below every number at which some release of Node drops the rest of them without a word.
  if (rawHeaders.length > 2 * HEADERS_MAX) {
    return refuse(`send at most ${String(HEADERS_MAX)} headers`);
  }
  let seen = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const bit = onceOnlyBit(name);
    if ((seen & bit) !== 0) return refuse(`send only one ${name} header`, name.toLowerCase());
    seen |= bit;
  }
  return null;
}

/** A bit of its own for each header that may come once, 0 for all others. */
function onceOnlyBit(name: string): number {
  // The length rules out nearly every header without a lower-cased copy of it.
  switch (name.length) {
    case 4:
      return name.toLowerCase() === "host" ? 1 : 0;
    case 12:
      return name.toLowerCase() === "content-type" ? 2 : 0;
    case 13:
      return name.toLowerCase() === "authorization" ? 4 : 0;
    case 14:
      return name.toLowerCase() === "content-length" ? 8 : 0;
    default:
      return 0;
  }
}

function findHostFault(host: string | undefined): RouterError | null {
  if (host === undefined) return refuse("send a Host header", "host");
  return HOST.test(host) ? null : refuse("the Host header is not a host name and port", "host");
}

function findTargetFault(url: string, host: string): RouterError | null {
  let target = url;
  if (!url.startsWith("/")) {
    const [, authority, rest = ""] = ABSOLUTE_FORM.exec(url) ?? [];
    if (authority?.toLowerCase() !== host.toLowerCase()) {
      return refuse("the request names another host than its Host header");
    }
    target = rest === "" ? "/" : rest;
  }
  if (target.includes("#")) return refuse("the URL has a fragment (#): leave it out");
  const queryAt = target.indexOf("?");
  return findPathFault(queryAt === -1 ? target : target.slice(0, queryAt));
}

function findPathFault(path: string): RouterError | null {
  const decoded = path.includes("%") ? decodeOnce(path) : path;
  if (decoded === null) return refuse("the path has a broken percent-encoding");
  if (CONTROL_OR_BACKSLASH.test(decoded)) {
    return refuse("the path has a control character or a backslash");
  }
  return DOT_SEGMENT.test(decoded) ? refuse("the path has a . or .. segment") : null;
}

function decodeOnce(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

function findFramingFault({ headers, httpVersion }: RequestHead): RouterError | null {
  const expectation = headers.expect;
  if (expectation !== undefined && expectation.toLowerCase() !== "100-continue") {
    return refuse("the only Expect header understood is 100-continue", "expect");
  }
  const encoding = headers["transfer-encoding"];
  if (encoding === undefined) return null;
  if (httpVersion === "1.0") {
    return refuse("HTTP/1.0 has no Transfer-Encoding: use HTTP/1.1", "transfer-encoding");
  }
  if (headers["content-length"] !== undefined) {
    return refuse("send Content-Length or Transfer-Encoding, not both", "transfer-encoding");
  }
  return encoding.toLowerCase() === "chunked"
    ? null
    : refuse("the only Transfer-Encoding understood is chunked", "transfer-encoding");
}

function findBodyFault({ headers }: RequestHead): RouterError | null {
  if (headers["content-encoding"] !== undefined) {
    return unsupported("compressed bodies are not accepted: leave out Content-Encoding");
  }
  const length = headers["content-length"];
  const hasBody = headers["transfer-encoding"] !== undefined || Number(length ?? 0) > 0;
  if (!hasBody) return null;
  const type = headers["content-type"];
  if (type === "application/json" || (type !== undefined && JSON_TYPE.test(type))) return null;
  return unsupported("send the body as JSON with `Content-Type: application/json`");
}

function unsupported(message: string): RouterError {
  return new RouterError("UNSUPPORTED_MEDIA_TYPE", message);
}
