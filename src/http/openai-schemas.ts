import { z } from "zod";
import type { ApiPath } from "../fleet/worker.ts";
import { describedJson, errorResponses, errorSchema, type DescribedResponse } from "./schemas.ts";

/**
 * For the documentation only. Bodies of /v1 pass to the worker byte for byte: what a model or an
 * engine understands beyond these fields is not ours to refuse.
 */

const model = z.string().describe("Public name of a model: GET /v1/models lists them.");
const stream = z.boolean().optional().describe("true: server-sent events.");

const messages = z.array(
  z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(z.unknown())]) }),
);

const EXAMPLE_MODEL = "demo-small";
const question = [{ role: "user", content: "Which GPU are you?" }];

export const OPENAI_SUMMARIES: Readonly<Record<ApiPath, string>> = {
  "/v1/chat/completions": "Chat (OpenAI), streamed or whole",
  "/v1/completions": "Complete a text (OpenAI), streamed or whole",
  "/v1/embeddings": "Embed texts (OpenAI)",
  "/v1/responses": "Respond (OpenAI's newer chat), where the engine serves it",
  "/v1/messages": "Chat (Anthropic), where the engine serves it",
  "/v1/rerank": "Rank documents by a query, where the engine serves it",
};

export const OPENAI_BODIES: Readonly<Record<ApiPath, z.ZodType>> = {
  "/v1/chat/completions": z
    .looseObject({ model, messages, stream })
    .meta({ examples: [{ model: EXAMPLE_MODEL, messages: question }] }),
  "/v1/completions": z
    .looseObject({ model, prompt: z.union([z.string(), z.array(z.unknown())]), stream })
    .meta({ examples: [{ model: EXAMPLE_MODEL, prompt: "A GPU is", max_tokens: 16 }] }),
  "/v1/embeddings": z
    .looseObject({ model, input: z.union([z.string(), z.array(z.unknown())]) })
    .meta({ examples: [{ model: "demo-embed", input: "Which GPU are you?" }] }),
  "/v1/responses": z
    .looseObject({ model, input: z.union([z.string(), z.array(z.unknown())]), stream })
    .meta({ examples: [{ model: EXAMPLE_MODEL, input: "Which GPU are you?" }] }),
  "/v1/messages": z
    .looseObject({ model, messages, max_tokens: z.number(), stream })
    .meta({ examples: [{ model: EXAMPLE_MODEL, messages: question, max_tokens: 64 }] }),
  "/v1/rerank": z
    .looseObject({ model, query: z.string(), documents: z.array(z.unknown()) })
    .meta({ examples: [{ model: EXAMPLE_MODEL, query: "GPU", documents: ["a card", "a cat"] }] }),
};

export const WISH_HEADERS = z.object({
  "x-priority": z
    .string()
    .optional()
    .describe("1 to 5, 5 is the most urgent; default 3, or your limit if lower."),
  "x-timeout-ms": z
    .string()
    .optional()
    .describe("Deadline in ms up to the first byte of a stream, or the whole of a JSON answer."),
  "x-user-id": z.string().optional().describe("Act for this user (roles service and admin)."),
});

const ROUTED_ERRORS = errorResponses(
  "USER_MISMATCH",
  "PRIORITY_LIMIT_EXCEEDED",
  "MODEL_NOT_FOUND",
  "BODY_TOO_LARGE",
  "NO_GPU_FITS",
  "QUOTA_EXCEEDED",
  "QUEUE_FULL",
  "SHUTTING_DOWN",
  "NO_GPU_AVAILABLE",
  "DEADLINE_EXCEEDED",
  "WORKER_FAILED",
);

/** Refusals of the worker's own that are passed on as they came. */
const PASSED_ON = [400, 404, 409, 413, 422];

/** Of any worker, whatever it is written in. */
const refusalSchema = z.union([errorSchema, z.looseObject({})]);

/** The answers of a routed request: the worker's, and our errors. */
export function workerAnswers(streams: boolean): Record<number, DescribedResponse> {
  const events = { "text/event-stream": { schema: z.string() } };
  const content = { "application/json": { schema: z.unknown() }, ...(streams && events) };
  const refusals = PASSED_ON.map((status) => {
    const ours = ROUTED_ERRORS[status]?.description;
    const description = `${ours === undefined ? "T" : `${ours}, or t`}he worker's own refusal`;
    return [status, describedJson(description, refusalSchema)] as const;
  });
  return {
    200: { description: "The worker's answer, as it came.", content },
    ...ROUTED_ERRORS,
    ...Object.fromEntries(refusals),
  };
}
