import type { FastifyReply } from "fastify";
import type { Quotas, Rate, Rates } from "../admission/quotas.ts";

/** What the user may still take, as OpenAI's clients read it: names and values in turn. */
export function rateLimitHeaders({ requests, tokens }: Rates): string[] {
  const headers = [
    "x-ratelimit-limit-requests",
    String(requests.limit),
    "x-ratelimit-remaining-requests",
    String(requests.remaining),
    "x-ratelimit-reset-requests",
    resetOf(requests),
  ];
  if (tokens === null) return headers;
  headers.push("x-ratelimit-limit-tokens", String(tokens.limit));
  headers.push("x-ratelimit-remaining-tokens", String(tokens.remaining));
  headers.push("x-ratelimit-reset-tokens", resetOf(tokens));
  return headers;
}

/** For answers that the framework sends, errors included. */
export function setRateLimits(reply: FastifyReply, quotas: Quotas, user: string): void {
  const headers = rateLimitHeaders(quotas.rateOf(user));
  for (let at = 0; at < headers.length; at += 2) reply.header(headers[at]!, headers[at + 1]);
}

/** In whole seconds, rounded up: `17s`, `1m3s`, `1h0m0s`. */
function resetOf({ resetMs }: Rate): string {
  const seconds = Math.ceil(resetMs / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  const rest = `${minutes % 60}m${seconds % 60}s`;
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)}h${rest}`;
}
