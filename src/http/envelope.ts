import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { Abandonment, type RoutedRequest } from "../dispatch/routed-request.ts";
import { findMember } from "../dispatch/json-member.ts";
import { RouterError } from "../errors.ts";
import { API_PATHS, type ApiPath } from "../fleet/worker.ts";
import type { Band } from "../routing/stages.ts";
import { DEFAULT_BAND, effectiveUser, type TimeoutLimits } from "./caller.ts";
import type { Identity } from "./keys.ts";

/** The body of POST /api/v1/route. Ours, and therefore strict; only `payload` is the worker's. */

const BYTES_PER_MB = 1024 * 1024;
const DAY_MS = 86_400_000;

const wholeMs = z.int().min(1);

const resourceRequirements = z
  .strictObject({
    memory: z.number().positive().optional().describe("GPU memory needed, in MB (MiB)."),
    compute_units: z.int().min(1).optional().describe("Least number of GPUs of the worker."),
    max_batch_size: z.int().min(1).optional().describe("Recorded with the job; not routed by."),
    expected_duration: wholeMs.optional().describe("In ms; used for the estimates."),
  })
  .describe("What the request itself needs; each is optional.");

export const routeBodySchema = z
  .strictObject({
    request_id: z
      .string()
      .regex(
        /^[A-Za-z0-9._-]{1,64}$/,
        "must be 1 to 64 letters, digits, dots, dashes or underscores",
      )
      .optional()
      .describe("Your own id, unique among your jobs; made for you if left out."),
    user_id: z.string().optional().describe("Act for this user (roles service and admin)."),
    model_id: z.string().min(1).max(256).describe("Public name of the model."),
    priority: z.int().min(1).max(5).optional().describe("5 is the most urgent; default 3."),
    type: z.enum(["inference", "training"]).default("inference"),
    resource_requirements: resourceRequirements.optional(),
    timeout: wholeMs.optional().describe("In ms, from the sending to the whole answer."),
    queue_timeout: wholeMs
      .max(DAY_MS)
      .optional()
      .describe("In ms. Not supported yet: nothing waits, and full slots are refused at once."),
    path: z
      .enum(API_PATHS)
      .optional()
      .describe("Where the payload goes; told by its shape if left out."),
    payload: z
      .looseObject({})
      .describe("The request for the worker: messages, prompt or input, and its other fields."),
  })
  .meta({
    examples: [
      {
        model_id: "demo-small",
        priority: 4,
        payload: { messages: [{ role: "user", content: "Which GPU are you?" }] },
      },
    ],
  });

export type RouteBody = z.output<typeof routeBodySchema>;

export interface EnvelopeContext {
  /** The body as it came: the payload is passed on byte for byte. */
  readonly bodyText: string;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly timeouts: TimeoutLimits;
}

/** Throws INVALID_REQUEST or USER_MISMATCH, naming the field. */
export function toRoutedRequest(body: RouteBody, context: EnvelopeContext): RoutedRequest {
  const { clock, identity } = context;
  const needs = body.resource_requirements;
  const acceptedAtMs = clock.now();
  return {
    id: body.request_id ?? randomUUID(),
    user: effectiveUser(identity, body.user_id, "user_id"),
    path: body.path ?? pathOf(body.payload),
    type: body.type,
    model: body.model_id,
    band: (body.priority ?? DEFAULT_BAND) as Band,
    stream: false,
    body: payloadBytes(body, context.bodyText),
    memoryBytes: needs?.memory === undefined ? null : needs.memory * BYTES_PER_MB,
    computeUnits: needs?.compute_units ?? null,
    acceptedAtMs,
    deadlineAtMs: acceptedAtMs + timeoutOf(body, context.timeouts),
    timeoutMs: null,
    reservation: null,
    isPlacement: false,
    abandonment: new Abandonment(),
  };
}

/** Parsing and writing it anew would round long numbers, such as seeds. */
function payloadBytes(body: RouteBody, bodyText: string): Buffer {
  checkPayload(body);
  const bytes = Buffer.from(bodyText);
  const span = findMember(bytes, "payload");
  if (!span) throw new Error("the body has no payload");
  const payload = bytes.subarray(span.start, span.end);
  if (body.payload["model"] !== undefined) return payload;
  const model = `{"model":${JSON.stringify(body.model_id)}`;
  const separator = Object.keys(body.payload).length === 0 ? "" : ",";
  return Buffer.concat([Buffer.from(model + separator), payload.subarray(1)]);
}

function checkPayload({ payload, model_id }: RouteBody): void {
  if (payload["stream"] !== undefined && payload["stream"] !== false) {
    const message = "a job's payload cannot stream: leave payload.stream out, or call /v1 directly";
    throw new RouterError("INVALID_REQUEST", message, { param: "payload.stream" });
  }
  if (payload["model"] !== undefined && payload["model"] !== model_id) {
    const message = "payload.model must be model_id, or be left out";
    throw new RouterError("INVALID_REQUEST", message, { param: "payload.model" });
  }
}

const PATH_BY_FIELD: readonly (readonly [field: string, path: ApiPath])[] = [
  ["messages", "/v1/chat/completions"],
  ["prompt", "/v1/completions"],
  ["input", "/v1/embeddings"],
];

function pathOf(payload: Readonly<Record<string, unknown>>): ApiPath {
  const found = PATH_BY_FIELD.find(([field]) => payload[field] !== undefined);
  if (found) return found[1];
  const message = "payload must have messages, prompt or input; or name the path it is for";
  throw new RouterError("INVALID_REQUEST", message, { param: "payload" });
}

function timeoutOf({ timeout }: RouteBody, limits: TimeoutLimits): number {
  if (timeout === undefined) return limits.defaultMs;
  if (timeout <= limits.maxMs) return timeout;
  const message = `timeout must be at most ${limits.maxMs} ms (request_router.max_timeout)`;
  throw new RouterError("INVALID_REQUEST", message, { param: "timeout" });
}
