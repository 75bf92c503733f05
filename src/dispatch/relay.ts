import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { AttemptOutcome } from "../failures/classify.ts";
import { networkFailure } from "../network-failure.ts";
import type { Answer, AnswerSink, RouteTags } from "./answer.ts";
import { faultOfHead, looksWhole } from "./answer-check.ts";
import { parseRetryAfterMs } from "../retry-after.ts";
import { countEvents, readUsage, type TokenUsage } from "./usage.ts";

/** How one try ended, with what it brought. */
export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  /** False: it ended before a connection stood, and the worker saw nothing of it. */
  readonly sent: boolean;
  /** Present when a whole answer arrived that was not streamed through. */
  readonly answer: Answer | null;
  /** Monotonic time of the first body byte; null = none came. */
  readonly firstByteAtMs: number | null;
  readonly usage: TokenUsage;
  /** The client read slower than the worker wrote: the duration says nothing about the worker. */
  readonly heldUpByClient: boolean;
}

export interface RelayOptions {
  readonly sink: AnswerSink;
  readonly tags: RouteTags;
  /** The client asked for a stream. */
  readonly stream: boolean;
  readonly maxAnswerBytes: number;
  readonly clock: Clock;
  /** Asked when the request goes out: on a connection that carried others before it? */
  readonly isReused: () => boolean;
  /** Called with every byte that arrives. */
  readonly onSignOfLife: (nowMs: number) => void;
  /** Called exactly once. */
  readonly onEnd: (result: AttemptResult) => void;
}

type Controller = Dispatcher.DispatchController;

/** We have run out of sockets, ports or buffers: no fault of the worker's. */
const OUR_CODES: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"]);
/** Longer than a reset is under way; what breaks later has failed at its work. */
const STALE_WITHIN_MS = 100;

/**
 * The bytes of one upstream response. A stream goes to the sink chunk by chunk, with backpressure;
 * anything else is collected first, so that a truncated answer can still be retried elsewhere.
 */
export class Relay implements Dispatcher.DispatchHandler {
  readonly #options: RelayOptions;
  #controller: Controller | null = null;
  #ended = false;
  #sentAtMs = 0;
  #reused = false;
  /** 0: nothing of an answer has come. */
  #status = 0;
  #contentType = "";
  #retryAfterMs: number | null = null;
  #streaming = false;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #events = 0;
  #firstByteAtMs: number | null = null;
  #heldUpByClient = false;
  #atLineStart = true;
  /** A stream's first chunk went to the client: from now on there is no retry. */
  committed = false;
  /** When the last byte came, or the client last made room for more. */
  lastProgressAtMs = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  get waitsForClient(): boolean {
    return this.#controller?.paused === true;
  }

  /** Ends the try now, whatever is under way; closes the upstream connection. */
  abort(outcome: AttemptOutcome): void {
    this.#end(outcome, null);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    this.#sentAtMs = this.#options.clock.now();
    this.#reused = this.#options.isReused();
    // The client may have gone while the connection was being made: then nothing is sent.
    if (this.#ended) controller.abort(new Error("abandoned before it was sent"));
  }

  onResponseStart(_: Controller, status: number, headers: IncomingHttpHeaders): void {
    this.#sawBytes();
    if (this.#ended || status < 200) return;
    this.#status = status;
    this.#contentType = firstOf(headers["content-type"]) ?? "";
    this.#retryAfterMs = parseRetryAfterMs(headers["retry-after"], this.#options.clock);
    if (status >= 300) return;
    const { stream } = this.#options;
    const encoding = headers["content-encoding"];
    const fault = faultOfHead({ status, contentType: this.#contentType, encoding }, stream);
    if (fault !== null) this.#refuse(fault);
    this.#streaming = stream;
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    const mayBeComment = this.#streaming && this.#atLineStart;
    this.#atLineStart = chunk.at(-1) === LINE_FEED;
    if (mayBeComment && isComment(chunk)) return this.#passComment(controller, chunk);
    this.#sawBytes();
    if (this.#ended) return;
    this.#firstByteAtMs ??= this.lastProgressAtMs;
    if (this.#streaming) this.#passOn(controller, chunk);
    else this.#collect(chunk);
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    if (this.#streaming) {
      if (!this.committed) return this.#refuse("ended the stream before its first event");
      this.#options.sink.end();
      return this.#end({ kind: "answered", status: this.#status }, null);
    }
    const body = this.#collected();
    if (this.#status < 300 && !looksWhole(body)) return this.#refuse("answered with broken JSON");
    const contentType = this.#contentType;
    const retryAfterMs = this.#retryAfterMs;
    const answer = { status: this.#status, contentType, body, retryAfterMs };
    this.#end({ kind: "answered", status: this.#status }, answer);
  }

  onResponseError(_: Controller, error: Error & { code?: string }): void {
    if (this.#ended) return;
    const failure = networkFailure(error);
    if (this.#controller !== null) return this.#break(failure);
    this.#end({ kind: "unreachable", failure, ours: OUR_CODES.has(error.code ?? "") }, null);
  }

  /**
   * Servers send comments to keep a connection open while a request still waits for its turn: that is
   * a sign of life, and neither a first byte nor progress.
   */
  #passComment(controller: Controller, chunk: Buffer): void {
    const { clock, onSignOfLife } = this.#options;
    onSignOfLife(clock.now());
    if (!this.#ended && this.committed) this.#write(controller, chunk);
  }

  #passOn(controller: Controller, chunk: Buffer): void {
    const { sink, tags } = this.#options;
    if (!this.committed) {
      this.committed = true;
      sink.begin({ status: this.#status, contentType: this.#contentType }, tags);
    }
    this.#events += countEvents(chunk);
    // Only the tail can hold the usage; two chunks, because it may be split between them.
    this.#chunks = this.#chunks.length > 1 ? [this.#chunks[1]!, chunk] : [...this.#chunks, chunk];
    this.#write(controller, chunk);
  }

  #write(controller: Controller, chunk: Buffer): void {
    const { sink } = this.#options;
    if (sink.write(chunk)) return;
    this.#heldUpByClient = true;
    controller.pause();
    sink.onDrain(() => {
      this.lastProgressAtMs = this.#options.clock.now();
      controller.resume();
    });
  }

  #collect(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.maxAnswerBytes) {
      this.#chunks = [];
      const limitMb = this.#options.maxAnswerBytes / 1024 / 1024;
      const failure = `answered with more than ${limitMb} MB (request_router.max_response_mb)`;
      return this.#end({ kind: "unusable", failure, ours: true }, null);
    }
    this.#chunks.push(chunk);
  }

  /** Most answers come in one piece, which need not be copied. */
  #collected(): Buffer {
    const chunks = this.#chunks;
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#bytes);
  }

  #refuse(failure: string): void {
    this.#end({ kind: "unusable", failure }, null);
  }

  #break(failure: string): void {
    if (this.committed) this.#options.sink.cut(new RouterError("WORKER_FAILED", failure));
    this.#end({ kind: "broken", failure, committed: this.committed, stale: this.#isStale() }, null);
  }

  #isStale(): boolean {
    const afterMs = this.#options.clock.now() - this.#sentAtMs;
    return this.#reused && this.#status === 0 && afterMs < STALE_WITHIN_MS;
  }

  #sawBytes(): void {
    this.lastProgressAtMs = this.#options.clock.now();
    this.#options.onSignOfLife(this.lastProgressAtMs);
  }

  #end(outcome: AttemptOutcome, answer: Answer | null): void {
    if (this.#ended) return;
    this.#ended = true;
    const unfinished = outcome.kind !== "answered";
    if (unfinished) this.#controller?.abort(new Error(`attempt over: ${outcome.kind}`));
    this.#options.onEnd({
      outcome,
      sent: this.#controller !== null,
      answer,
      firstByteAtMs: this.#firstByteAtMs,
      usage: this.#usage(answer),
      heldUpByClient: this.#heldUpByClient,
    });
    this.#chunks = [];
  }

  #usage(answer: Answer | null): TokenUsage {
    if (answer !== null) return readUsage(answer.body);
    if (!this.#streaming) return { promptTokens: null, completionTokens: null };
    const usage = readUsage(Buffer.concat(this.#chunks));
    return { ...usage, completionTokens: usage.completionTokens ?? this.#events };
  }
}

const COLON = 0x3a;
const LINE_FEED = 0x0a;

/** Of a chunk that begins a line: true for comments, such as ": ping", and nothing else. */
function isComment(chunk: Buffer): boolean {
  return chunk[0] === COLON && countEvents(chunk) === 0 && chunk.indexOf("event:") === -1;
}

/** A header that comes twice is a list, whatever its type says. */
function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
