import type { Clock, Timer } from "../clock.ts";
import { countLines, wholeLines, type LogBacklog } from "./log-backlog.ts";
import type { LogSinkState } from "./log-sink-state.ts";

/** What became of the lines of one POST. */
export type PostResult =
  | { readonly kind: "taken" }
  /** Never taken, however often they are sent. */
  | { readonly kind: "refused"; readonly problem: string }
  | { readonly kind: "too large" }
  /** Maybe later. */
  | { readonly kind: "failed"; readonly problem: string; readonly retryAfterMs: number | null };

export interface LogSenderDeps {
  readonly clock: Clock;
  readonly backlog: LogBacklog;
  readonly state: LogSinkState;
  /** Sends whole lines; never rejects, and ends within a bound of its own. */
  readonly post: (lines: Buffer) => Promise<PostResult>;
  /** Nothing is posted from now on, and nobody waits for what is under way. */
  readonly onClose: () => void;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What arrives within this time is sent together, unless it fills a batch before. */
const COLLECT_MS = 1000;
/** Below 1 MiB, what common servers take at most, also where a format makes it longer. */
const LARGEST_BATCH_BYTES = 512 * 1024;
/** Tried after a failure, so that a Logging Service in trouble costs both sides little. */
const SMALLEST_BATCH_BYTES = 32 * 1024;
/** From the beginning of a try to that of the next; doubles with each failure in a row. */
const FIRST_RETRY_MS = 500;
/** Short, because what waits must arrive soon after the Logging Service is back. */
const LONGEST_RETRY_MS = 2000;
const TOO_SLOW = "slower than the log: the oldest lines are dropped";

/** Sends what waits, oldest first, a batch at a time, again until it is taken or refused. */
export class LogSender {
  readonly #deps: LogSenderDeps;
  /** The oldest lines, taken out of the backlog to be sent. */
  #unsent: Buffer = Buffer.alloc(0);
  #isSending = false;
  /** Set while what waits is not sent yet. */
  #timer: Timer | null = null;
  /** At most so many are sent next. */
  #batchBytes = LARGEST_BATCH_BYTES;
  #batchBytesMax = LARGEST_BATCH_BYTES;
  /** In a row. */
  #failures = 0;
  #isFinishing = false;
  #isOver = false;
  #shippedLines = 0;
  #refusedLines = 0;

  constructor(deps: LogSenderDeps) {
    this.#deps = deps;
  }

  /** Lines that were taken so far. */
  get shippedLines(): number {
    return this.#shippedLines;
  }

  /** Lines so far that were refused, or for which there was no room or no time. */
  get droppedLines(): number {
    return this.#refusedLines + this.#deps.backlog.droppedLines;
  }

  /** Bytes of lines that wait, those under way included. */
  get waitingBytes(): number {
    return this.#unsent.length + this.#deps.backlog.bytes;
  }

  /** Nothing is left to send, or no use in trying. */
  get isDone(): boolean {
    return this.#isOver || this.waitingBytes === 0;
  }

  /** Whole lines, each with its end. */
  add(lines: string): void {
    const { backlog, state } = this.#deps;
    const before = this.droppedLines;
    backlog.add(lines);
    if (this.#isOver) return this.#dropAll();
    if (this.droppedLines > before) state.fails(TOO_SLOW, before);
    if (this.#isSending || this.#failures > 0) return;
    if (this.waitingBytes >= this.#batchBytes) this.#sendIn(0);
    else if (this.#timer === null) this.#sendIn(COLLECT_MS);
  }

  /** Sends what is there without waiting for more, until it is taken or fails twice. */
  finish(): void {
    this.#isFinishing = true;
    if (!this.#isSending && this.waitingBytes > 0) this.#sendIn(0);
  }

  /** Drops what is left, and what is added from now on. */
  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#dropAll();
    this.#deps.onClose();
  }

  #sendIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (delayMs > 0) this.#timer = this.#deps.clock.after(delayMs, () => void this.#send());
    else void this.#send();
  }

  async #send(): Promise<void> {
    const { clock, backlog, post } = this.#deps;
    this.#timer = null;
    if (this.#unsent.length === 0) this.#unsent = backlog.take(LARGEST_BATCH_BYTES);
    const batch = wholeLines(this.#unsent, this.#batchBytes);
    const startedAtMs = clock.now();
    this.#isSending = true;
    const result = await post(batch);
    if (this.#isOver) return;
    // What it logs may be added here at once, and must not begin a second batch.
    this.#settle(batch, result);
    this.#isSending = false;
    this.#sendNext(result, clock.now() - startedAtMs);
  }

  #settle(batch: Buffer, result: PostResult): void {
    if (result.kind === "taken") return this.#taken(batch);
    if (result.kind === "refused") return this.#refused(batch, result.problem);
    if (result.kind === "failed") {
      this.#deps.state.fails(result.problem, this.droppedLines);
      this.#failures += 1;
      this.#batchBytes = Math.min(SMALLEST_BATCH_BYTES, this.#batchBytesMax);
      return;
    }
    const smaller = Math.floor(batch.length / 2);
    const cannotShrink = smaller < SMALLEST_BATCH_BYTES || countLines(batch) === 1;
    if (cannotShrink) return this.#refused(batch, "answered 413");
    this.#batchBytesMax = this.#batchBytes = smaller;
  }

  #taken(batch: Buffer): void {
    this.#shippedLines += this.#leave(batch);
    this.#batchBytes = Math.min(this.#batchBytesMax, this.#batchBytes * 2);
    if (!this.#hasBatch) this.#deps.state.works(this.droppedLines);
  }

  #refused(batch: Buffer, problem: string): void {
    this.#deps.state.fails(`${problem}: lines are dropped`, this.droppedLines);
    this.#refusedLines += this.#leave(batch);
  }

  /** How many lines they were. */
  #leave(batch: Buffer): number {
    this.#failures = 0;
    this.#unsent = this.#unsent.subarray(batch.length);
    return countLines(batch);
  }

  #sendNext(result: PostResult, tookMs: number): void {
    if (this.#isFinishing && this.#failures > 1) return this.close();
    if (this.waitingBytes === 0) return;
    if (result.kind === "failed") return this.#sendIn(this.#retryMs(result.retryAfterMs, tookMs));
    this.#sendIn(this.#hasBatch || this.#isFinishing ? 0 : COLLECT_MS);
  }

  /** What waits is worth a post of its own: it fills one, or did so when it was taken out. */
  get #hasBatch(): boolean {
    return this.#unsent.length > 0 || this.waitingBytes >= this.#batchBytes;
  }

  #retryMs(retryAfterMs: number | null, tookMs: number): number {
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    const jittered = delayMs * (0.5 + this.#deps.random() / 2);
    return Math.max(retryAfterMs ?? 0, jittered - tookMs);
  }

  #dropAll(): void {
    const { backlog } = this.#deps;
    this.#refusedLines += countLines(this.#unsent) + countLines(backlog.take(backlog.bytes));
    this.#unsent = Buffer.alloc(0);
  }
}
