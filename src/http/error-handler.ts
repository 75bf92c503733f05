import type { FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { errorBody, RouterError } from "../errors.ts";
import type { Log } from "../log.ts";
import { bodyTooLarge } from "./read-body.ts";
import { explainInvalid } from "./validation-message.ts";

/** Told of each error that a client gets. */
export type OnError = (error: RouterError) => void;

type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/** Turns whatever was thrown into the one error body. Only defects of ours are logged here. */
export function createErrorHandler(deps: {
  readonly log: Log;
  /** Named to the client whose body was larger. */
  readonly bodyLimitMb: number;
  readonly onError: OnError;
}): ErrorHandler {
  const { log, bodyLimitMb, onError } = deps;
  return (error, request, reply) => {
    const known = toRouterError(error, bodyLimitMb);
    if (known !== null) {
      onError(known);
      sendError(known, request, reply);
      return;
    }
    const route = request.routeOptions.url ?? null;
    log.error({ err: error, requestId: request.id, route }, "request failed unexpectedly");
    const message = "an unexpected error of the router: report it with the request_id";
    const defect = new RouterError("INTERNAL", message);
    onError(defect);
    sendError(defect, request, reply);
  };
}

/** Says which methods a path has, if it has any. Still 404: the route is what does not exist. */
export function createNotFoundHandler(
  onError: OnError,
): (request: FastifyRequest, reply: FastifyReply) => void {
  return (request, reply) => {
    const { server, url, method } = request;
    const allowed = METHODS.filter((each) => server.findRoute({ method: each, url }));
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    const message =
      allowed.length > 0
        ? `this path has no ${method}: use ${allowed.join(" or ")}`
        : "there is no such route: /docs lists all of them";
    const error = new RouterError("ROUTE_NOT_FOUND", message);
    onError(error);
    sendError(error, request, reply);
  };
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

function sendError(error: RouterError, request: FastifyRequest, reply: FastifyReply): void {
  reply.header("x-request-id", request.id);
  if (error.retryAfterMs !== null) {
    reply.header("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
  }
  // RFC 9110 asks for it on every 401.
  if (error.code === "UNAUTHORIZED") reply.header("www-authenticate", "Bearer");
  reply.code(error.status).send(errorBody(error, request.id));
}

/** null for what nobody foresaw. */
function toRouterError(error: unknown, bodyLimitMb: number): RouterError | null {
  if (error instanceof RouterError) return error.code === "INTERNAL" ? null : error;
  if (hasZodFastifySchemaValidationErrors(error)) return explainInvalid(error);
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as Error & { code?: string; statusCode?: number };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return bodyTooLarge(bodyLimitMb);
  // Fastify marks what it refuses with a status; a connection of ours that broke has none.
  return statusCode === undefined ? null : explainClientFault(code ?? "");
}

/** Fastify's own refusals. Its texts are not passed on: some repeat what the client sent. */
function explainClientFault(code: string): RouterError | null {
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    const message = "send the body as JSON with `Content-Type: application/json`";
    return new RouterError("UNSUPPORTED_MEDIA_TYPE", message);
  }
  const message = CLIENT_FAULTS[code];
  return message === undefined ? null : new RouterError("INVALID_REQUEST", message);
}

const CLIENT_FAULTS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: "the body is empty: send JSON, or leave out Content-Type",
  FST_ERR_CTP_INVALID_JSON_BODY: "the body is not valid JSON, or it has a __proto__ key",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "the body is not as long as Content-Length says",
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: "send the body with `Content-Type: application/json`",
  FST_ERR_BAD_URL: "the path has a broken percent-encoding",
  FST_ERR_MAX_PARAM_LENGTH: "a part of the path is longer than any id",
  // Nobody is left to read this one; it keeps clients that vanish out of the error log.
  ECONNRESET: "the body ended early",
};
