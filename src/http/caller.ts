import type { FastifyRequest } from "fastify";
import { RouterError } from "../errors.ts";
import type { Band } from "../routing/stages.ts";
import { identityOf } from "./auth.ts";
import type { Identity } from "./keys.ts";

export const DEFAULT_BAND: Band = 3;

/** Roles that may act for any user; limits are charged to that user. */
const ACTS_FOR_OTHERS: ReadonlySet<string> = new Set(["service", "admin"]);
/** Roles that see all jobs, and GPUs in full. */
const SEES_EVERYTHING: ReadonlySet<string> = new Set(["operator", "admin"]);

/** Line feeds and the like would split keys and log lines. */
const USER_ID = /^[\x21-\x7e]{1,128}$/;

export function seesEverything({ role }: Identity): boolean {
  return SEES_EVERYTHING.has(role);
}

/** The user that a request counts for: the key's own, or the one it names, where its role may. */
export function effectiveUser(
  identity: Identity,
  named: string | undefined,
  param: string,
): string {
  if (named === undefined || named === identity.user) return identity.user;
  if (!ACTS_FOR_OTHERS.has(identity.role)) {
    const message =
      `this key belongs to ${identity.user}: leave ${param} out, ` +
      `or use a key with the role service`;
    throw new RouterError("USER_MISMATCH", message, { param });
  }
  if (!USER_ID.test(named)) {
    const message = `${param} must be 1 to 128 printable characters without spaces`;
    throw new RouterError("INVALID_REQUEST", message, { param });
  }
  return named;
}

/** What the optional x- headers of the /v1 routes say. */
export interface CallerWishes {
  readonly user: string;
  readonly band: Band;
  readonly timeoutMs: number;
}

export interface TimeoutLimits {
  /** request_router.request_timeout. */
  readonly defaultMs: number;
  /** request_router.max_timeout. */
  readonly maxMs: number;
}

export function readWishes(request: FastifyRequest, limits: TimeoutLimits): CallerWishes {
  const { headers } = request;
  const named = headers["x-user-id"];
  return {
    user: effectiveUser(identityOf(request), oneOf(named), "x-user-id"),
    band: readBand(oneOf(headers["x-priority"])),
    timeoutMs: readTimeoutMs(oneOf(headers["x-timeout-ms"]), limits),
  };
}

function readBand(header: string | undefined): Band {
  if (header === undefined) return DEFAULT_BAND;
  if (/^[1-5]$/.test(header)) return Number(header) as Band;
  const message = "x-priority must be 1, 2, 3, 4 or 5 (5 is the most urgent)";
  throw new RouterError("INVALID_REQUEST", message, { param: "x-priority" });
}

function readTimeoutMs(header: string | undefined, limits: TimeoutLimits): number {
  if (header === undefined) return limits.defaultMs;
  const timeoutMs = /^\d{1,12}$/.test(header) ? Number(header) : 0;
  if (timeoutMs >= 1 && timeoutMs <= limits.maxMs) return timeoutMs;
  const message =
    `x-timeout-ms must be a whole number from 1 to ${limits.maxMs} ` +
    `(request_router.max_timeout)`;
  throw new RouterError("INVALID_REQUEST", message, { param: "x-timeout-ms" });
}

/** Node joins repeated headers of these names with a comma, which no value here may hold. */
function oneOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}
