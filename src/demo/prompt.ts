import { isObject, Refusal } from "./refusal.ts";
import type { JsonObject } from "./refusal.ts";

/** The simulated tokenizer: a token is a word with the space after it. */
export function tokensOf(text: string): readonly string[] {
  return text.match(/\S+\s*/g) ?? [];
}

/** At least 1, as no real tokenizer counts a prompt as nothing. */
export function countTokens(text: string): number {
  return Math.max(1, tokensOf(text).length);
}

export interface Prompt {
  /** What the answer echoes a little of: the last user message, or the prompt. */
  readonly question: string;
  readonly tokens: number;
}

/** `messages` of a chat completion. */
export function chatPrompt(request: JsonObject): Prompt {
  const messages = request["messages"];
  if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isObject)) {
    throw new Refusal(400, "messages must be a non-empty list of messages.", "messages");
  }
  const texts = messages.map((message) => contentText(message["content"]));
  const asked = messages.findLastIndex((message) => message["role"] === "user");
  return { question: texts.at(asked) ?? "", tokens: countTokens(texts.join(" ")) };
}

/** Content is a text, or parts of which only the text ones say something here. */
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  const texts = content.map((part) => (isObject(part) ? part["text"] : null));
  return texts.filter((text) => typeof text === "string").join(" ");
}

/** `prompt` of a text completion. */
export function textPrompt(request: JsonObject): Prompt {
  const given = request["prompt"];
  const prompt: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (typeof prompt === "string") return { question: prompt, tokens: countTokens(prompt) };
  throw new Refusal(400, "prompt must be one text: the demo answers one prompt each.", "prompt");
}
