import type { FastifyRequest } from "fastify";
import type { Quotas } from "../admission/quotas.ts";
import type { UserLimits } from "../admission/user-limits.ts";
import { RouterError } from "../errors.ts";
import type { Band } from "../routing/stages.ts";
import { identityOf } from "./auth.ts";
import type { Identity } from "./keys.ts";

const DEFAULT_BAND: Band = 3;

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
  return checkUserId(named, param);
}

/** Whose a submission is: as its user_id says, or x-user-id, which all other calls know. */
export function submittingUser(
  request: FastifyRequest,
  { user_id: named }: { readonly user_id?: string | undefined },
): string {
  const header = oneOf(request.headers["x-user-id"]);
  if (named === undefined) return effectiveUser(identityOf(request), header, "x-user-id");
  if (header !== undefined && header !== named) {
    const message = "user_id and x-user-id name different users: send one of them";
    throw new RouterError("INVALID_REQUEST", message, { param: "user_id" });
  }
  return effectiveUser(identityOf(request), named, "user_id");
}

/** Returns it. Throws INVALID_REQUEST. */
export function checkUserId(named: string, param: string): string {
  if (USER_ID.test(named)) return named;
  const message = `${param} must be 1 to 128 printable characters without spaces`;
  throw new RouterError("INVALID_REQUEST", message, { param });
}

/** Services must know what the users that they act for have left. */
export function maySeeQuotaOf(user: string, identity: Identity): boolean {
  return identity.user === user || identity.role === "service" || seesEverything(identity);
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

export function readWishes(
  request: FastifyRequest,
  { timeouts, quotas }: { readonly timeouts: TimeoutLimits; readonly quotas: LimitsOfUsers },
): CallerWishes {
  const { headers } = request;
  const user = effectiveUser(identityOf(request), oneOf(headers["x-user-id"]), "x-user-id");
  const band = readBand(oneOf(headers["x-priority"]));
  return {
    user,
    band: bandFor(band, quotas.limitsOf(user), "x-priority"),
    timeoutMs: readTimeoutMs(oneOf(headers["x-timeout-ms"]), timeouts),
  };
}

export type LimitsOfUsers = Pick<Quotas, "limitsOf">;

/**
 * The band that a request gets: what was asked, or 3, or less where the user's limit is lower. `param`
 * is where it was asked. Throws PRIORITY_LIMIT_EXCEEDED.
 */
export function bandFor(
  asked: number | undefined,
  { priorityLimit }: UserLimits,
  param: string,
): Band {
  if (asked === undefined) return Math.min(DEFAULT_BAND, priorityLimit) as Band;
  if (asked <= priorityLimit) return asked as Band;
  const message =
    `${param} ${asked} is above this user's priority_limit of ${priorityLimit}: ask for ` +
    `${priorityLimit} or less, or have users[].priority_limit raised`;
  throw new RouterError("PRIORITY_LIMIT_EXCEEDED", message, { param });
}

function readBand(header: string | undefined): Band | undefined {
  if (header === undefined) return undefined;
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
