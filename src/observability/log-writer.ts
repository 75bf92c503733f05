import { closeSync, openSync, write, writeSync } from "node:fs";
import type { Clock } from "../clock.ts";

/** A reader that is slow costs the newest lines, never memory without end. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const STDOUT = 1;
/** A full pipe, a full disk: until it is tried again. */
const RETRY_MS = 100;
/** In the process's last tick: a second. */
const LAST_TRIES = 10;

/**
 * Writes to a file or pipe whose reader may be slow, stopped or gone, without ever waiting for it. The
 * logging library's own writer tries for ever at the exit, where nobody reads any more.
 */
export class LogWriter {
  readonly #clock: Clock;
  readonly #fd: number;
  readonly #path: string | null;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** The first of those that wait is being written, or will be tried again. */
  #isBusy = false;
  #isWriting = false;
  #isOver = false;
  #droppedLines = 0;

  /** `destination`: a file descriptor, or the path of a file. */
  constructor(clock: Clock, destination: number | string) {
    this.#clock = clock;
    this.#path = typeof destination === "string" ? destination : null;
    this.#fd = typeof destination === "string" ? openSync(destination, "a") : destination;
    // A write to a full pipe would block its thread, and the process's exit waits for all threads.
    // Node makes the pipe behind this property non-blocking when the property is first read.
    if (this.#fd === STDOUT) void process.stdout;
  }

  /** Lines that were lost so far. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Nothing is left to write, or nobody to read it. */
  get isDone(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whole lines, each with its end. */
  write(lines: string): void {
    const bytes = ownBytes(lines);
    const isFull = this.#waitingBytes + bytes.length > WAITING_BYTES_MAX;
    if (this.#isOver || isFull) return this.#lost(bytes);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isBusy) this.#writeFirst();
  }

  /** In the process's last tick: writes what is left and these lines, if they are taken in a second. */
  endNow(lines: string): void {
    // The first is in the hands of a thread, which has begun; one that begins now may never run.
    if (this.#isWriting) this.#waiting.shift();
    if (lines !== "") this.#waiting.push(Buffer.from(lines));
    for (let tries = 0; this.#waiting.length > 0 && tries < LAST_TRIES;) {
      try {
        this.#took(writeSync(this.#fd, this.#waiting[0]!));
      } catch (error) {
        if (!isFullPipe(error)) break;
        tries += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
    this.close();
  }

  /** Forgets what is left. */
  close(): void {
    this.#isOver = true;
    this.#dropAll();
    if (this.#path !== null && !this.#isWriting) closeSync(this.#fd);
  }

  #writeFirst(): void {
    const [first] = this.#waiting;
    this.#isBusy = first !== undefined;
    if (first === undefined) return;
    this.#isWriting = true;
    write(this.#fd, first, (error, written) => {
      this.#isWriting = false;
      if (this.#isOver) return;
      if (error) return this.#failed(error);
      this.#took(written);
      this.#writeFirst();
    });
  }

  #took(written: number): void {
    const first = this.#waiting[0]!;
    this.#waitingBytes -= written;
    if (written === first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(written);
  }

  #failed({ code }: NodeJS.ErrnoException): void {
    if (code === "EPIPE") {
      // It must not end the process: requests matter more than their log.
      this.#isOver = true;
      this.#dropAll();
      return;
    }
    this.#clock.after(RETRY_MS, () => {
      if (!this.#isOver) this.#writeFirst();
    });
  }

  #dropAll(): void {
    for (const bytes of this.#waiting) this.#lost(bytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #lost(bytes: Buffer): void {
    for (let at = bytes.indexOf(LINE_END); at !== -1; at = bytes.indexOf(LINE_END, at + 1)) {
      this.#droppedLines += 1;
    }
  }
}

const LINE_END = 0x0a;

function isFullPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EAGAIN";
}

/**
 * The text's UTF-8 in memory of its own: out of Node's pool, a few that wait would hold 64 KiB, most of it
 * long unused.
 */
function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
