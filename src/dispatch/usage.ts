/**
 * Token counts out of answers, by searching bytes: parsing each answer or each chunk of a stream
 * would cost more than all of the routing.
 */

export interface TokenUsage {
  /** null: the worker did not say. */
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

/** Reads the last usage object in the bytes; OpenAI's names first, then those of its newer API. */
export function readUsage(body: Buffer): TokenUsage {
  const answer = { body, end: body.toString("latin1", Math.max(0, body.length - END_BYTES)) };
  return {
    promptTokens: lastNumber(answer, '"prompt_tokens"') ?? lastNumber(answer, '"input_tokens"'),
    completionTokens:
      lastNumber(answer, '"completion_tokens"') ?? lastNumber(answer, '"output_tokens"'),
  };
}

/** Events in a chunk of a stream: about one token each, where no usage is reported. */
export function countEvents(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf("data:"); at !== -1; at = chunk.indexOf("data:", at + 5)) count += 1;
  return count;
}

/** Where nearly every engine puts the usage: text that short is searched sooner than bytes. */
const END_BYTES = 512;
const DIGITS = 12;

interface AnswerBytes {
  readonly body: Buffer;
  readonly end: string;
}

function lastNumber({ body, end }: AnswerBytes, key: string): number | null {
  const atInEnd = end.lastIndexOf(key);
  if (atInEnd !== -1)
    return numberIn(end.slice(atInEnd + key.length, atInEnd + key.length + DIGITS));
  const at = end.length === body.length ? -1 : body.lastIndexOf(key);
  if (at === -1) return null;
  return numberIn(body.toString("latin1", at + key.length, at + key.length + DIGITS));
}

/** Of what follows a member's name. */
function numberIn(text: string): number | null {
  const value = text.trimStart();
  const digits = value.startsWith(":") ? value.slice(1).trimStart() : "";
  return digits >= "0" && digits < ":" ? Number.parseInt(digits, 10) : null;
}
