import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { Abandonment, type RoutedRequest } from "../dispatch/routed-request.ts";
import { findMember } from "../dispatch/json-member.ts";
import { RouterError } from "../errors.ts";
import { API_PATHS, type ApiPath } from "../fleet/worker.ts";
import { bandFor, type LimitsOfUsers, type TimeoutLimits } from "./caller.ts";

/** What a job is submitted with. Ours, and therefore strict; only `payload` is the worker's. */

const BYTES_PER_MB = 1024 * 1024;
/** 30 days: the most that queue.job_timeout may say. */
const LONGEST_QUEUE_TIMEOUT_MS = 2_592_000_000;

const wholeMs = z.int().min(1);

const resourceRequirements = z
  .strictObject({
    memory: z.number().positive().optional().describe("GPU memory needed, in MB (MiB)."),
    compute_units: z.int().min(1).optional().describe("Least number of GPUs of the worker."),
    max_batch_size: z.int().min(1).optional().describe("Recorded with the job; not routed by."),
    expected_duration: wholeMs.optional().describe("In ms; used for the estimates."),
  })
  .describe("What the request itself needs; each is optional.");

export const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores");

/** What both a whole body and a batch may say of the time that its jobs have. */
export const timeoutFields = {
  timeout: wholeMs.optional().describe("In ms, from the sending to the whole answer."),
  queue_timeout: wholeMs
    .max(LONGEST_QUEUE_TIMEOUT_MS)
    .optional()
    .describe("In ms, the longest wait for a slot; queue.job_timeout if left out."),
};

/** What is said once for a whole body or batch. */
export const callerFields = {
  user_id: z.string().optional().describe("Act for this user (roles service and admin)."),
  callback_url: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .describe("Told when all is over; signed with your secret (callbacks.secrets)."),
};

const jobFields = {
  request_id: nameSchema
    .optional()
    .describe("Your own id, unique among your jobs; made for you if left out."),
  model_id: z.string().min(1).max(256).describe("Public name of the model."),
  priority: z
    .int()
    .min(1)
    .max(5)
    .optional()
    .describe("5 is the most urgent; default 3, or your limit if lower."),
  type: z.enum(["inference", "training"]).default("inference"),
  resource_requirements: resourceRequirements.optional(),
  ...timeoutFields,
  path: z
    .enum(API_PATHS)
    .optional()
    .describe("Where the payload goes; told by its shape if left out."),
};

const payloadSchema = z
  .looseObject({})
  .optional()
  .describe(
    "The request for the worker: messages, prompt or input, and its other fields. Left out: a place " +
      "on a worker is held for you, and you talk to it yourself (see placement).",
  );

export const routeBodySchema = z
  .strictObject({ ...callerFields, ...jobFields, payload: payloadSchema })
  .meta({
    examples: [
      {
        model_id: "demo-small",
        priority: 4,
        payload: { messages: [{ role: "user", content: "Which GPU are you?" }] },
      },
    ],
  });

/** One of the requests of a batch. */
export const batchItemSchema = z.strictObject({ ...jobFields, payload: payloadSchema });

export type RouteBody = z.output<typeof batchItemSchema>;

/** To be read where they are used: they may change at any moment. */
export interface JobTimeouts extends TimeoutLimits {
  /** queue.job_timeout. */
  readonly queueMs: number;
}

export interface EnvelopeContext {
  /** Whose limits it is charged to. */
  readonly user: string;
  /** The envelope as it came: the payload is passed on byte for byte. */
  readonly bytes: Buffer;
  readonly clock: Clock;
  readonly timeouts: JobTimeouts;
  readonly quotas: LimitsOfUsers;
}

/** Throws INVALID_REQUEST, naming the field. */
export function toRoutedRequest(body: RouteBody, context: EnvelopeContext): RoutedRequest {
  const { timeouts } = context;
  const needs = body.resource_requirements;
  const acceptedAtMs = context.clock.now();
  return {
    id: body.request_id ?? randomUUID(),
    user: context.user,
    ...cargoOf(body, context.bytes),
    type: body.type,
    model: body.model_id,
    band: bandFor(body.priority, context.quotas.limitsOf(context.user), "priority"),
    stream: false,
    memoryBytes: needs?.memory === undefined ? null : needs.memory * BYTES_PER_MB,
    computeUnits: needs?.compute_units ?? null,
    acceptedAtMs,
    deadlineAtMs: acceptedAtMs + (body.queue_timeout ?? timeouts.queueMs),
    timeoutMs: timeoutOf(body, timeouts),
    reservation: null,
    abandonment: new Abandonment(),
  };
}

type Payload = NonNullable<RouteBody["payload"]>;

/** What goes to the worker, and where to; nothing for a placement. */
function cargoOf(
  body: RouteBody,
  bytes: Buffer,
): Pick<RoutedRequest, "path" | "body" | "isPlacement"> {
  const { payload, path, model_id: model } = body;
  if (payload !== undefined) {
    checkPayload(payload, model);
    const cargo = payloadBytes(bytes, payload, model);
    return { path: path ?? pathOf(payload), body: cargo, isPlacement: false };
  }
  if (path !== undefined) {
    const message = "path says where the payload goes: send a payload, or leave path out";
    throw new RouterError("INVALID_REQUEST", message, { param: "path" });
  }
  return { path: null, body: Buffer.alloc(0), isPlacement: true };
}

/** Parsing and writing it anew would round long numbers, such as seeds. */
function payloadBytes(bytes: Buffer, parsed: Payload, model: string): Buffer {
  const span = findMember(bytes, "payload");
  if (!span) throw new Error("the body has no payload");
  const payload = bytes.subarray(span.start, span.end);
  if (parsed["model"] !== undefined) return payload;
  const named = `{"model":${JSON.stringify(model)}`;
  const separator = Object.keys(parsed).length === 0 ? "" : ",";
  return Buffer.concat([Buffer.from(named + separator), payload.subarray(1)]);
}

function checkPayload(payload: Payload, model: string): void {
  if (payload["stream"] !== undefined && payload["stream"] !== false) {
    const message = "a job's payload cannot stream: leave payload.stream out, or call /v1 directly";
    throw new RouterError("INVALID_REQUEST", message, { param: "payload.stream" });
  }
  if (payload["model"] !== undefined && payload["model"] !== model) {
    const message = "payload.model must be model_id, or be left out";
    throw new RouterError("INVALID_REQUEST", message, { param: "payload.model" });
  }
}

const PATH_BY_FIELD: readonly (readonly [field: string, path: ApiPath])[] = [
  ["messages", "/v1/chat/completions"],
  ["prompt", "/v1/completions"],
  ["input", "/v1/embeddings"],
];

function pathOf(payload: Payload): ApiPath {
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
