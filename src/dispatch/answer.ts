import type { RouterError } from "../errors.ts";
import type { Worker } from "../fleet/worker.ts";

/** A client that reads nothing for this long is gone, whatever its connection says. */
export const STALLED_CLIENT_MS = 60_000;

/** A worker's whole answer, as it came. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** The worker's Retry-After in milliseconds, if it sent a usable one. */
  readonly retryAfterMs: number | null;
}

/** What a routed answer says about its way, as response headers. */
export interface RouteTags {
  readonly worker: Worker;
  readonly attempts: number;
  readonly queueMs: number;
}

/**
 * Where an answer goes: an HTTP response, or a job's record. Exactly one of `whole`, `refuse`, `fail`, or
 * `begin` (then `write`, and `end` or `cut`) is called; nothing at all once the receiver is gone.
 */
export interface AnswerSink {
  /** The answer in one write. */
  whole(answer: Answer, tags: RouteTags): void;
  /** A stream commits here, with its first chunk at hand: from now on there is no retry. */
  begin(head: Pick<Answer, "status" | "contentType">, tags: RouteTags): void;
  /** False: write no more until `onDrain`'s callback. */
  write(chunk: Buffer): boolean;
  onDrain(resume: () => void): void;
  end(): void;
  /** The stream broke after it began. */
  cut(error: RouterError): void;
  /**
   * The answer ends here, whatever was begun: by the error, or by an event with it. Returns the HTTP
   * status that the client got.
   */
  fail(error: RouterError, tags: RouteTags | null): number;
  /** No answer: this error instead. `tags` is null where no worker was tried. */
  refuse(error: RouterError, tags: RouteTags | null): void;
}
