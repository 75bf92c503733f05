import { EngineNotReady, type Answer } from "./engine.ts";

const MAX_NAME_CHARS = 512;

/**
 * The JSON of a good answer. Throws EngineNotReady on 503, which engines send while they load their
 * model, and an Error that names the fix on everything else.
 */
export function jsonOf(answer: Answer, path: string): unknown {
  const { status, text } = answer;
  if (status === 503) throw new EngineNotReady(wordsOf(text) ?? `GET ${path} answered 503`);
  if (status === 401 || status === 403) {
    throw new Error(`worker refused our key (GET ${path} answered ${status}): set api_key_env`);
  }
  if (status === 404) {
    throw new Error(`GET ${path} answered 404: check the worker's engine, and its url without /v1`);
  }
  if (status !== 200) throw new Error(`GET ${path} answered ${status}, expected 200`);
  const json = parse(text);
  if (json === undefined)
    throw new Error(`GET ${path} answered 200 without JSON: check its engine`);
  return json;
}

/** The JSON of an answer that may be missing; undefined = the engine does not say. */
export function optionalJsonOf(answer: Answer): unknown {
  return answer.status === 200 ? parse(answer.text) : undefined;
}

/** A field of what ought to be an object; undefined where it is not one. */
export function fieldOf(json: unknown, field: string): unknown {
  if (typeof json !== "object" || json === null) return undefined;
  return Object.hasOwn(json, field)
    ? (json as Readonly<Record<string, unknown>>)[field]
    : undefined;
}

/** Slots as an engine tells them: absent unless a positive whole number. */
export function slotsOf(value: unknown): { readonly slots?: number } {
  return Number.isSafeInteger(value) && (value as number) > 0 ? { slots: value as number } : {};
}

/** The named field of each element of a list, where it is a usable model name. */
export function namesIn(list: readonly unknown[], field: string): string[] {
  return list
    .map((element) => fieldOf(element, field))
    .filter((name): name is string => typeof name === "string" && isUsable(name));
}

function isUsable(name: string): boolean {
  return name !== "" && name.length <= MAX_NAME_CHARS;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** {"error":{"message":"Loading model"}} is llama.cpp's way. */
function wordsOf(text: string): string | null {
  const words = fieldOf(fieldOf(parse(text), "error"), "message");
  return typeof words === "string" ? words.slice(0, 200) : null;
}
