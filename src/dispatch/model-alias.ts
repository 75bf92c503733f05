import { findMember } from "./json-member.ts";

/**
 * The body with its top-level model replaced, every other byte untouched. `body` must be a JSON
 * object whose model is a string.
 */
export function withModel(body: Buffer, servedName: string): Buffer {
  const span = findMember(body, "model");
  if (!span) throw new Error("the body has no model");
  const name = Buffer.from(JSON.stringify(servedName));
  return Buffer.concat([body.subarray(0, span.start), name, body.subarray(span.end)]);
}
