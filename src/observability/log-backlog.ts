const LINE_END = 0x0a;

/**
 * Lines that wait to be sent, in one block of memory that is taken once: what waits costs no more
 * than it, however long nobody takes it, and leaves nothing to collect. (A small string or a Buffer
 * of each write costs several times its text; one out of Node's pool holds 64 KiB.)
 */
export class LogBacklog {
  readonly #ring: Buffer;
  /** Where the oldest line begins. */
  #start = 0;
  #bytes = 0;
  #droppedLines = 0;

  /** `capacity`: bytes that may wait. */
  constructor(capacity: number) {
    this.#ring = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lines so far for which there was no room. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Whole lines, each with its end. The oldest that wait make room for them. */
  add(lines: string): void {
    const bytes = Buffer.from(lines);
    const capacity = this.#ring.length;
    if (bytes.length > capacity) {
      this.#droppedLines += countLines(bytes);
      return;
    }
    while (this.#bytes + bytes.length > capacity) this.#dropOldest();
    const at = (this.#start + this.#bytes) % capacity;
    const copied = bytes.copy(this.#ring, at);
    bytes.copy(this.#ring, 0, copied);
    this.#bytes += bytes.length;
  }

  /** Takes out the oldest lines, at most `maxBytes` of them, but one if there is any. */
  take(maxBytes: number): Buffer {
    const length = Math.min(this.#bytes, Math.max(maxBytes, this.#firstLength()));
    const taken = Buffer.allocUnsafeSlow(length);
    const copied = this.#ring.copy(taken, 0, this.#start, this.#start + length);
    this.#ring.copy(taken, copied, 0, length - copied);
    const whole = taken.subarray(0, taken.lastIndexOf(LINE_END) + 1);
    this.#skip(whole.length);
    return whole;
  }

  #dropOldest(): void {
    this.#droppedLines += 1;
    this.#skip(this.#firstLength());
  }

  #firstLength(): number {
    if (this.#bytes === 0) return 0;
    const end = this.#ring.indexOf(LINE_END, this.#start);
    // Past the end of the ring it goes on at its beginning.
    const wrapped = end === -1 ? this.#ring.length + this.#ring.indexOf(LINE_END) : end;
    return wrapped + 1 - this.#start;
  }

  #skip(bytes: number): void {
    this.#start = (this.#start + bytes) % this.#ring.length;
    this.#bytes -= bytes;
  }
}

/** The first lines, at most `maxBytes` of them, but at least one. Shares the memory of `lines`. */
export function wholeLines(lines: Buffer, maxBytes: number): Buffer {
  if (lines.length <= maxBytes) return lines;
  const last = lines.lastIndexOf(LINE_END, maxBytes - 1);
  const end = last === -1 ? lines.indexOf(LINE_END) : last;
  return lines.subarray(0, end + 1);
}

/** How many lines end in it. */
export function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(LINE_END); at !== -1; at = lines.indexOf(LINE_END, at + 1)) {
    count += 1;
  }
  return count;
}
