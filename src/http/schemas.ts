import { z } from "zod";

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
  .describe("Every error has this form.");

/** The errors that every route with a key can answer; more as the route adds them. */
export function errorResponses(...statuses: number[]): Record<number, typeof errorSchema> {
  const all = [400, 401, 403, 429, 500, ...statuses];
  return Object.fromEntries(all.map((status) => [status, errorSchema]));
}

export const SECURED = [{ key: [] }];
