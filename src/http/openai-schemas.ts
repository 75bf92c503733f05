import { z } from "zod";
import type { ApiPath } from "../fleet/worker.ts";

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
  "x-priority": z.string().optional().describe("1 to 5, 5 is the most urgent; default 3."),
  "x-timeout-ms": z
    .string()
    .optional()
    .describe("Deadline in ms up to the first byte of a stream, or the whole of a JSON answer."),
  "x-user-id": z.string().optional().describe("Act for this user (roles service and admin)."),
});
