import { z } from "zod";
import { findItems, findMember } from "../dispatch/json-member.ts";
import { RouterError } from "../errors.ts";
import { inItem, type BatchItem } from "../requests/batches.ts";
import {
  batchItemSchema,
  callerFields,
  nameSchema,
  timeoutFields,
  toRoutedRequest,
  type EnvelopeContext,
} from "./envelope.ts";

/** The body of POST /api/v1/route/batch. */

const MAX_ITEMS = 1000;

export const batchBodySchema = z
  .strictObject({
    ...callerFields,
    batch_id: nameSchema.optional().describe("Your own name for it; made for you if left out."),
    requests: z
      .array(batchItemSchema)
      .min(1)
      .max(MAX_ITEMS)
      .describe(`1 to ${MAX_ITEMS} jobs, each as POST /api/v1/route takes it.`),
    timeout: timeoutFields.timeout.describe("In ms, for the requests without one of their own."),
    queue_timeout: timeoutFields.queue_timeout.describe(
      "In ms, for the requests without one of their own.",
    ),
  })
  .meta({
    examples: [
      {
        batch_id: "evening-run",
        timeout: 60_000,
        requests: [
          { model_id: "demo-small", payload: { prompt: "A GPU is" } },
          { model_id: "demo-small", priority: 1, payload: { prompt: "A fleet is" } },
        ],
      },
    ],
  });

type BatchBody = z.output<typeof batchBodySchema>;

/** Throws INVALID_REQUEST, naming the item and its field. */
export function toBatchItems(body: BatchBody, context: EnvelopeContext): BatchItem[] {
  const { requests, timeout, queue_timeout } = body;
  const spans = findItems(context.bytes, findMember(context.bytes, "requests")!);
  return requests.map((item, index) => {
    const { start, end } = spans[index]!;
    // A copy: one job that is kept must not keep the bytes of the whole batch.
    const bytes = Buffer.from(context.bytes.subarray(start, end));
    const whole = { ...(timeout && { timeout }), ...(queue_timeout && { queue_timeout }), ...item };
    try {
      const request = toRoutedRequest(whole, { ...context, bytes });
      const expectedDurationMs = item.resource_requirements?.expected_duration ?? null;
      return { request, expectedDurationMs };
    } catch (error) {
      throw error instanceof RouterError ? inItem(index, error) : error;
    }
  });
}
