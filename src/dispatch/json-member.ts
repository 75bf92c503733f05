const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
/** At depth 1: a comma, or the object's closing brace. */
const END_OF_MEMBER = new Set([0x2c, 0x7d]);
/** At depth 1: a comma, or the array's closing bracket. */
const END_OF_ITEM = new Set([0x2c, 0x5d]);

/** Bytes from `start` up to, and without, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the value of a top-level member lies, so that it can be cut out or replaced with every other
 * byte untouched. `body` must be a JSON object. Where a key is given twice, the last one counts, as
 * in every JSON parser. null = there is no such member.
 */
export function findMember(body: Buffer, name: string): Span | null {
  let found: Span | null = null;
  let depth = 0;
  let key: string | null = null;
  let start = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      const end = endOfString(body, at);
      if (depth === 1) key ??= readKey(body.toString("utf8", at, end));
      at = end - 1;
    } else if (depth === 1 && byte === COLON) start = at + 1;
    else if (depth === 1 && END_OF_MEMBER.has(byte)) {
      if (key === name) found = trimmed(body, start, at);
      key = null;
    }
    depth += depthChange(byte);
  }
  return found;
}

/** Where each item of an array lies; `array` is the span of a JSON array within `body`. */
export function findItems(body: Buffer, array: Span): Span[] {
  const items: Span[] = [];
  let depth = 0;
  let start = array.start + 1;
  for (let at = array.start; at < array.end; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) at = endOfString(body, at) - 1;
    else if (depth === 1 && END_OF_ITEM.has(byte)) {
      const item = trimmed(body, start, at);
      // Only an empty array has an item without bytes.
      if (item.start < item.end) items.push(item);
      start = at + 1;
    }
    depth += depthChange(byte);
  }
  return items;
}

/** Parsers see through escapes, so an escaped "model" is the model, too. */
function readKey(quoted: string): string {
  return quoted.includes("\\") ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
}

/** The space of JSON: space, line feed, carriage return, tab. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function trimmed(body: Buffer, from: number, to: number): Span {
  let start = from;
  let end = to;
  while (isSpace(body[start])) start += 1;
  while (isSpace(body[end - 1])) end -= 1;
  return { start, end };
}

function depthChange(byte: number): number {
  if (OPEN.has(byte)) return 1;
  return CLOSE.has(byte) ? -1 : 0;
}

/** Index after the closing quote of the string that opens at `start`. */
function endOfString(body: Buffer, start: number): number {
  for (let at = body.indexOf(QUOTE, start + 1); ; at = body.indexOf(QUOTE, at + 1)) {
    if (at === -1) return body.length;
    let backslashes = 0;
    while (body[at - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return at + 1;
  }
}
