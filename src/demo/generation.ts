import { Refusal } from "./refusal.ts";
import type { JsonObject } from "./refusal.ts";
import { tokensOf } from "./prompt.ts";
import type { Prompt } from "./prompt.ts";

/** Bounds a request that asks for more than a demo should give. */
const MAX_TOKENS_LIMIT = 4096;
const ECHOED_WORDS = 6;
const ECHOED_CHARS_PER_WORD = 40;

export interface Answer {
  /** At least one; joined they are the text. */
  readonly tokens: readonly string[];
  readonly finishReason: "stop" | "length";
}

export interface Speaker {
  readonly model: string;
  readonly gpuName: string;
}

/** What the simulated model says. It never pretends to be real. */
export function composeAnswer(request: JsonObject, prompt: Prompt, speaker: Speaker): Answer {
  const maxTokens = maxTokensOf(request);
  const words = tokensOf(prompt.question);
  const echo = words.slice(0, ECHOED_WORDS).map((word) => word.slice(0, ECHOED_CHARS_PER_WORD));
  const more = words.length > ECHOED_WORDS ? " …" : "";
  const sentence =
    `Simulated answer: ${speaker.model} on ${speaker.gpuName}, no real model ran. ` +
    `You said: “${echo.join("").trim()}${more}”`;
  const said = tokensOf(sentence);
  if (said.length > maxTokens) return { tokens: said.slice(0, maxTokens), finishReason: "length" };
  if (request["ignore_eos"] !== true) return { tokens: said, finishReason: "stop" };
  return { tokens: goOn(said, maxTokens), finishReason: "length" };
}

/** vLLM's `ignore_eos`: go on up to max_tokens, which makes load and long streams on demand. */
function goOn(said: readonly string[], maxTokens: number): readonly string[] {
  const more = Array.from({ length: maxTokens - said.length }, (_, at) => ` and-on-${at + 1}`);
  return [...said, ...more];
}

function maxTokensOf(request: JsonObject): number {
  const param = request["max_completion_tokens"] == null ? "max_tokens" : "max_completion_tokens";
  const value = request[param] ?? MAX_TOKENS_LIMIT;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) {
    return Math.min(value, MAX_TOKENS_LIMIT);
  }
  throw new Refusal(400, `${param} must be a whole number of at least 1.`, param);
}
