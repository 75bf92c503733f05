const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);

/**
 * The body with its top-level model replaced, every other byte untouched. `body` must be a valid
 * JSON object. Where a key is given twice, the last one counts, as in every JSON parser.
 */
export function withModel(body: Buffer, servedName: string): Buffer {
  const span = findModelValue(body);
  const name = JSON.stringify(servedName);
  // The key is there, but written with escapes: rare enough to pay for a full rewrite.
  if (!span) {
    const parsed = JSON.parse(body.toString()) as Record<string, unknown>;
    return Buffer.from(JSON.stringify({ ...parsed, model: servedName }));
  }
  const before = body.subarray(0, span.start);
  return Buffer.concat([before, Buffer.from(name), body.subarray(span.end)]);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the value of the last top-level "model" key lies, quotes included; null if there is none. */
function findModelValue(body: Buffer): Span | null {
  let found: Span | null = null;
  let depth = 0;
  let key: string | null = null;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    depth += depthChange(byte);
    if (byte === COMMA && depth === 1) key = null;
    if (byte !== QUOTE) continue;
    const end = endOfString(body, at);
    if (depth === 1 && key === "model") found = { start: at, end };
    if (depth === 1) key ??= body.toString("latin1", at + 1, end - 1);
    at = end - 1;
  }
  return found;
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
