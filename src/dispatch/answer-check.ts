import { isSpace } from "./json-member.ts";

/** Whether a worker's 2xx is what was asked for. */

interface Head {
  readonly status: number;
  readonly contentType: string;
  readonly encoding: string | string[] | undefined;
}

const EVENT_STREAM = /^text\/event-stream\s*(?:;|$)/i;
const JSON_TYPE = /^application\/json\s*(?:;|$)/i;

/** In words for the client and the log; null = it is. */
export function faultOfHead(
  { status, contentType, encoding }: Head,
  stream: boolean,
): string | null {
  if (!(stream ? EVENT_STREAM : JSON_TYPE).test(contentType)) {
    const asked = stream ? "text/event-stream" : "application/json";
    const got = contentType.slice(0, 60) || "no content type";
    return `answered ${status} with ${got} instead of ${asked}`;
  }
  // It was refused beforehand, and its name does not pass to the client.
  if (encoding === undefined) return null;
  return `answered ${status} in content-encoding ${String(encoding)}`;
}

/** A cheap look at both ends: parsing each answer would cost as much as the rest of its way. */
export function looksWhole(body: Buffer): boolean {
  let start = 0;
  let end = body.length - 1;
  while (start < end && isSpace(body[start])) start += 1;
  while (end > start && isSpace(body[end])) end -= 1;
  return start < end && body[end] === CLOSING.get(body[start]!);
}

/** Of an object and of an array. */
const CLOSING: ReadonlyMap<number, number> = new Map([
  [0x7b, 0x7d],
  [0x5b, 0x5d],
]);
