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
  return {
    promptTokens: lastNumber(body, '"prompt_tokens"') ?? lastNumber(body, '"input_tokens"'),
    completionTokens:
      lastNumber(body, '"completion_tokens"') ?? lastNumber(body, '"output_tokens"'),
  };
}

/** Events in a chunk of a stream: about one token each, where no usage is reported. */
export function countEvents(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf("data:"); at !== -1; at = chunk.indexOf("data:", at + 5)) count += 1;
  return count;
}

const DIGITS = 12;

function lastNumber(body: Buffer, key: string): number | null {
  const at = body.lastIndexOf(key);
  if (at === -1) return null;
  const text = body.toString("latin1", at + key.length, at + key.length + DIGITS);
  const match = /^\s*:\s*(\d+)/.exec(text);
  return match ? Number(match[1]) : null;
}
