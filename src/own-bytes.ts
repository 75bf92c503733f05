/**
 * The text's UTF-8 in memory of its own, for bytes that are kept. Out of Node's pool, a few of them would
 * hold 64 KiB, most of it long unused.
 */
export function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
