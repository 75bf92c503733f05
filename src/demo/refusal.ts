const TYPES: ReadonlyMap<number, string> = new Map([
  [404, "NotFoundError"],
  [500, "InternalServerError"],
]);

/** An error that a simulated worker answers with, in OpenAI's form, as vLLM words it. */
export class Refusal extends Error {
  readonly status: number;
  readonly param: string | null;

  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.param = param;
  }

  body(): unknown {
    const type = TYPES.get(this.status) ?? "BadRequestError";
    return { error: { message: this.message, type, param: this.param, code: this.status } };
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, "The body is not valid JSON.");
  }
  if (!isObject(value)) throw new Refusal(400, "The body must be a JSON object.");
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
