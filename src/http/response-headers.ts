import type { onSendHookHandler } from "fastify";

/**
 * For pages (/docs). Swagger UI needs nothing inline, only its icons as data: images. There is no
 * upgrade-insecure-requests, because routers on a private network are served over plain HTTP.
 */
const PAGE_HEADERS = {
  "content-security-policy": [
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** An onSend hook for the scope that serves pages. */
// oxlint-disable-next-line max-params -- Fastify's signature, without a promise per answer.
export const pageHeaders: onSendHookHandler = (_request, reply, _payload, done) => {
  reply.headers(PAGE_HEADERS);
  done();
};

/**
 * An onSend hook for every answer that Fastify sends. Relayed answers are hijacked and never come
 * here. No CORS header is sent, so browsers keep other sites from reading answers.
 */
// oxlint-disable-next-line max-params -- Fastify's signature, without a promise per answer.
export const apiHeaders: onSendHookHandler = (request, reply, _payload, done) => {
  reply.header("x-request-id", request.id);
  reply.header("x-content-type-options", "nosniff");
  if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
  done();
};
