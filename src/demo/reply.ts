import type { ServerResponse } from "node:http";
import type { Answer } from "./generation.ts";
import { sendJson } from "./loopback-server.ts";
import { isObject } from "./refusal.ts";
import type { JsonObject } from "./refusal.ts";

/** How one of the two generating paths dresses its text. */
export interface ReplyForm {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  choice(text: string): JsonObject;
  /** `index` counts tokens; the last chunk of a stream has an empty text. */
  chunkChoice(text: string, index: number): JsonObject;
}

export const CHAT_FORM: ReplyForm = {
  idPrefix: "chatcmpl",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: (text) => ({ message: { role: "assistant", content: text, refusal: null } }),
  chunkChoice: (text, index) => ({
    delta: index === 0 ? { role: "assistant", content: text } : { content: text },
  }),
};

export const TEXT_FORM: ReplyForm = {
  idPrefix: "cmpl",
  object: "text_completion",
  chunkObject: "text_completion",
  choice: (text) => ({ text }),
  chunkChoice: (text) => ({ text }),
};

export interface ReplyPlan {
  readonly form: ReplyForm;
  /** Number of the answer on its worker; makes its id. */
  readonly serial: string;
  readonly model: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly answer: Answer;
  readonly promptTokens: number;
}

/** Told of each token as it is made. */
export type Reply = (index: number) => void;

/** One JSON body, sent with the last token. */
export function wholeReply(response: ServerResponse, plan: ReplyPlan): Reply {
  const { answer, form } = plan;
  return (index) => {
    if (index < answer.tokens.length - 1) return;
    const choice = form.choice(answer.tokens.join(""));
    sendJson(response, 200, {
      ...envelope(plan, form.object),
      choices: [{ index: 0, ...choice, logprobs: null, finish_reason: answer.finishReason }],
      usage: usageOf(plan),
    });
  };
}

/** Server-sent events, one per token; headers leave with the first, so its delay can be measured. */
export function streamedReply(
  response: ServerResponse,
  plan: ReplyPlan,
  includeUsage: boolean,
): Reply {
  const { answer, form } = plan;
  const base = envelope(plan, form.chunkObject);
  const event = (fields: JsonObject): string => {
    const usage = includeUsage ? { usage: null } : {};
    return `data: ${JSON.stringify({ ...base, ...usage, ...fields })}\n\n`;
  };
  const chunk = (text: string, index: number, finishReason: string | null): string => {
    const choice = form.chunkChoice(text, index);
    return event({
      choices: [{ index: 0, ...choice, logprobs: null, finish_reason: finishReason }],
    });
  };
  return (index) => {
    if (index === 0) {
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    }
    response.write(chunk(answer.tokens[index] ?? "", index, null));
    if (index < answer.tokens.length - 1) return;
    const usage = includeUsage ? event({ choices: [], usage: usageOf(plan) }) : "";
    response.end(`${chunk("", index + 1, answer.finishReason)}${usage}data: [DONE]\n\n`);
  };
}

export function wantsUsage(request: JsonObject): boolean {
  const options = request["stream_options"];
  return isObject(options) && options["include_usage"] === true;
}

function envelope(plan: ReplyPlan, object: string): JsonObject {
  const id = `${plan.form.idPrefix}-${plan.serial}`;
  return { id, object, created: plan.created, model: plan.model };
}

function usageOf({ promptTokens, answer }: ReplyPlan): JsonObject {
  const completionTokens = answer.tokens.length;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
