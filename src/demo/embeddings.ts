import { createHash } from "node:crypto";
import { Refusal } from "./refusal.ts";
import type { JsonObject } from "./refusal.ts";
import { countTokens } from "./prompt.ts";

const DIMENSIONS = 64;

/** The body of an answer to `/v1/embeddings`; the same text always gets the same vector. */
export function embed(request: JsonObject, model: string): JsonObject {
  const texts = inputTexts(request["input"]);
  const asBase64 = wantsBase64(request["encoding_format"]);
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
  return {
    object: "list",
    model,
    data: texts.map((text, index) => {
      const vector = vectorOf(text);
      return { object: "embedding", index, embedding: asBase64 ? base64Of(vector) : [...vector] };
    }),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function wantsBase64(format: unknown): boolean {
  if (format === "base64") return true;
  if (format === undefined || format === null || format === "float") return false;
  throw new Refusal(400, 'encoding_format must be "float" or "base64".', "encoding_format");
}

/** A string, strings, token ids, or lists of token ids. */
function inputTexts(input: unknown): readonly string[] {
  if (typeof input === "string") return [input];
  if (Array.isArray(input) && input.length > 0) {
    if (input.every((item) => typeof item === "string")) return input;
    if (input.every(isTokenList)) return input.map((tokens) => tokens.join(" "));
    if (isTokenList(input)) return [input.join(" ")];
  }
  throw new Refusal(400, "input must be a text, token ids, or a non-empty list of these.", "input");
}

function isTokenList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isInteger(item));
}

/** Unit length, as real embedding models give; one byte of hash per dimension. */
function vectorOf(text: string): Float32Array {
  const bytes = createHash("sha512").update(text).digest();
  const raw = Float32Array.from({ length: DIMENSIONS }, (_, at) => (bytes[at] ?? 0) - 127.5);
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}

function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
