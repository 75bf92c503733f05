import { RouterError } from "../errors.ts";

/**
 * The few fields of a body that routing needs. The bytes themselves are forwarded as they came: what
 * we do not understand must reach the worker unchanged.
 */
export interface BodyFields {
  readonly model: string;
  readonly stream: boolean;
}

const MODEL_NAME_CHARS = 256;

/** Throws INVALID_REQUEST that names the field. */
export function readBodyFields(body: Buffer): BodyFields {
  const parsed = parseObject(body);
  const { model, stream } = parsed;
  if (typeof model !== "string" || model === "" || model.length > MODEL_NAME_CHARS) {
    const found = model === undefined ? "it is missing" : `found ${brief(model)}`;
    const message = `model must be a string of 1 to ${MODEL_NAME_CHARS} characters: ${found}`;
    throw new RouterError("INVALID_REQUEST", message, { param: "model" });
  }
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    const message = `stream must be true or false: found ${brief(stream)}`;
    throw new RouterError("INVALID_REQUEST", message, { param: "stream" });
  }
  return { model, stream: stream === true };
}

function parseObject(body: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (error) {
    const message = `the body is not valid JSON: ${withoutExcerpt(String(error))}`;
    throw new RouterError("INVALID_REQUEST", message, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new RouterError("INVALID_REQUEST", "the body must be a JSON object");
  }
  return parsed as Record<string, unknown>;
}

/** The parser quotes what it read, and prompts do not belong in error messages, which clients log. */
function withoutExcerpt(parserMessage: string): string {
  return parserMessage.replace(/^SyntaxError: /, "").replace(/, (\.\.\.)?".*$/s, "");
}

function brief(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
