import { z } from "zod";
import { ERRORS, type ErrorCode } from "../errors.ts";

/** Shapes that several routes share. */

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string().describe("One of docs/errors.md; match on it."),
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe("The field, header or setting at fault."),
      request_id: z.string(),
    }),
  })
  .describe("Every error has this form.")
  .meta({ id: "Error" });

export const SECURED = [{ key: [] }];

/** A response as OpenAPI describes it: its words, and a schema for each content type. */
export interface DescribedResponse {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

export function describedJson<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } } as const;
}

/** What the front door can answer on any route, before its handler runs. */
const EVERY_ROUTE = [
  "INVALID_REQUEST",
  "NETWORK_DENIED",
  "UNSUPPORTED_MEDIA_TYPE",
  "INTERNAL",
] as const;

/** For routes without a key. */
export function publicErrors(): Record<number, DescribedResponse> {
  return byStatus(EVERY_ROUTE);
}

/** For routes with a key: what the front door answers, and `codes` from the route itself. */
export function errorResponses(...codes: readonly ErrorCode[]): Record<number, DescribedResponse> {
  return byStatus([...EVERY_ROUTE, "UNAUTHORIZED", "AUTH_THROTTLED", "OVERLOADED", ...codes]);
}

function byStatus(codes: readonly ErrorCode[]): Record<number, DescribedResponse> {
  // Numbers as keys come in their own order.
  const statuses = new Set(codes.map((code) => ERRORS[code].status));
  return Object.fromEntries(
    [...statuses].map((status) => {
      const named = codes.filter((code) => ERRORS[code].status === status);
      return [status, describedJson(named.join(", "), errorSchema)];
    }),
  );
}
