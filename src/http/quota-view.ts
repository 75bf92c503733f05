import { z } from "zod";
import type { Quotas } from "../admission/quotas.ts";
import type { GivenLimits, LimitSource } from "../admission/user-limits.ts";
import { RouterError } from "../errors.ts";

/** Quotas as the API shows and takes them. */

const source = z.enum(["default", "config", "override"]);
const atMost = (max: number) => z.int().min(0).max(max);

const requestWindow = z
  .object({
    limit: z.number(),
    source,
    used: z.number().describe("Counted in the window, those that still run included."),
    remaining: z.number(),
    reset_ms: z.number().describe("Until all is free again, if nothing more is sent."),
  })
  .describe("Requests per window.");

const tokenWindow = z
  .object({
    limit: z.number(),
    source,
    used: z.number().describe("Counted in the window, of requests that have ended."),
    held: z.number().describe("Estimates of those that run; they count until the request ends."),
    remaining: z.number(),
    reset_ms: z.number(),
  })
  .nullable()
  .describe("Prompt and completion tokens per window; null = not limited.");

export const quotaSchema = z
  .object({
    user_id: z.string(),
    window_ms: z.number().describe("user_quota_manager.quota_check_interval."),
    requests: requestWindow,
    tokens: tokenWindow,
    gpus: z
      .object({ limit: z.number(), source, held: z.number(), remaining: z.number() })
      .describe("Workers occupied at once; those on the same GPUs count once."),
    priority: z.object({ limit: z.number(), source }).describe("Highest priority, 1 to 5."),
    expiration_time: z.string().nullable().describe("When other limits take the place of these."),
    lasts: z.string().nullable().describe("How long an override lasts; null = there is none."),
  })
  .describe("What a user may take, and has taken.")
  .meta({ id: "Quota" });

/** The range of each is the one of users[] in config.yaml. */
export const overrideSchema = z
  .strictObject({
    gpu_limit: atMost(100_000).optional().describe("Workers occupied at once."),
    request_limit: atMost(1_000_000_000).optional().describe("Requests per window."),
    priority_limit: z.int().min(1).max(5).optional().describe("Highest priority."),
    token_limit: z
      .int()
      .min(1)
      .max(1_000_000_000_000)
      .nullable()
      .optional()
      .describe("Prompt and completion tokens per window; null = no limit."),
    expiration_time: z.iso
      .datetime({ offset: true, error: "must be a time such as 2027-01-31T18:00:00Z" })
      .nullable()
      .optional()
      .describe("From then on the override does not apply."),
  })
  .meta({
    examples: [{ request_limit: 1000, priority_limit: 4, expiration_time: "2100-01-31T18:00:00Z" }],
  });

type OverrideBody = z.output<typeof overrideSchema>;

/** Throws INVALID_REQUEST for an override that would change nothing. */
export function toGivenLimits(body: OverrideBody, nowWallMs: number): GivenLimits {
  const { gpu_limit: gpuLimit, request_limit: requestLimit } = body;
  const { priority_limit: priorityLimit, token_limit: tokenLimit } = body;
  const limits = {
    ...(gpuLimit !== undefined && { gpuLimit }),
    ...(requestLimit !== undefined && { requestLimit }),
    ...(priorityLimit !== undefined && { priorityLimit }),
    ...(tokenLimit !== undefined && { tokenLimit }),
  };
  if (Object.keys(limits).length === 0) {
    const message = "name a limit: gpu_limit, request_limit, priority_limit or token_limit";
    throw new RouterError("INVALID_REQUEST", message);
  }
  return { limits, expiresAtWallMs: futureMs(body.expiration_time ?? null, nowWallMs) };
}

function futureMs(time: string | null, nowWallMs: number): number | null {
  if (time === null) return null;
  const wallMs = Date.parse(time);
  if (wallMs > nowWallMs) return wallMs;
  const message = "expiration_time is over: name a later one, or leave it out";
  throw new RouterError("INVALID_REQUEST", message, { param: "expiration_time" });
}

export interface QuotaViewDeps {
  readonly quotas: Quotas;
  /** Placements that the user occupies now. */
  readonly gpusHeld: (user: string) => number;
}

export function viewQuota(user: string, { quotas, gpusHeld }: QuotaViewDeps) {
  const limits = quotas.limitsOf(user);
  const sources = quotas.sourcesOf(user);
  const usage = quotas.usageOf(user);
  const { requests, tokens } = quotas.rateOf(user);
  const held = gpusHeld(user);
  const { gpuLimit, priorityLimit, expiresAtWallMs } = limits;
  return {
    user_id: user,
    window_ms: quotas.windowMs,
    requests: { ...viewRate(requests), source: sources.requestLimit, used: usage.requests },
    tokens: tokens && {
      ...viewRate(tokens),
      source: sources.tokenLimit,
      used: usage.tokens,
      held: usage.tokensHeld,
    },
    gpus: {
      limit: gpuLimit,
      source: sources.gpuLimit,
      held,
      remaining: Math.max(0, gpuLimit - held),
    },
    priority: { limit: priorityLimit, source: sources.priorityLimit },
    expiration_time: expiresAtWallMs === null ? null : new Date(expiresAtWallMs).toISOString(),
    lasts: Object.values<LimitSource>(sources).includes("override") ? OVERRIDE_LASTS : null,
  };
}

const OVERRIDE_LASTS =
  "until the router restarts, or its expiration_time: put it into users in config.yaml to keep it";

function viewRate({
  limit,
  remaining,
  resetMs,
}: {
  limit: number;
  remaining: number;
  resetMs: number;
}) {
  return { limit, remaining, reset_ms: resetMs };
}
