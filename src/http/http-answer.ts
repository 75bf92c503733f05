import type { ServerResponse } from "node:http";
import type { Answer, AnswerSink, RouteTags } from "../dispatch/answer.ts";
import { errorBody, type RouterError } from "../errors.ts";
import { gpuIdOf } from "../fleet/worker.ts";

/**
 * A routed answer on its way to the client: written raw, past the framework, because the bytes are
 * the worker's and must pass as they came.
 */
export class HttpAnswer implements AnswerSink {
  readonly #response: ServerResponse;
  readonly #requestId: string;
  readonly #rateLimits: () => readonly string[];
  #tags: RouteTags | null = null;

  /** `rateLimits`: further headers, names and values in turn, as they are when the answer begins. */
  constructor(response: ServerResponse, requestId: string, rateLimits: () => readonly string[]) {
    this.#response = response;
    this.#requestId = requestId;
    this.#rateLimits = rateLimits;
  }

  /** Of the last attempt; null = none was made. */
  get tags(): RouteTags | null {
    return this.#tags;
  }

  whole(answer: Answer, tags: RouteTags): void {
    const headers = this.#headers(answer.contentType || "application/json", tags);
    headers.push("content-length", String(answer.body.length));
    this.#response.writeHead(answer.status, headers);
    const { body } = answer;
    // Node sends a short text as one with its head, sooner than bytes beside it. In this encoding the
    // text has the same bytes, whatever they are.
    if (body.length <= SHORT_BYTES) this.#response.end(body.toString("latin1"), "latin1");
    else this.#response.end(body);
  }

  begin(head: Pick<Answer, "status" | "contentType">, tags: RouteTags): void {
    const headers = this.#headers(head.contentType, tags);
    // Proxies such as nginx would hold events back until their buffer is full.
    headers.push("x-accel-buffering", "no");
    this.#response.writeHead(head.status, headers);
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  onDrain(resume: () => void): void {
    this.#response.once("drain", resume);
  }

  end(): void {
    this.#response.end();
  }

  /** The blank lines end an event that the worker may have left half-written. */
  cut(error: RouterError): void {
    const data = JSON.stringify(errorBody(error, this.#requestId));
    this.#response.end(`\n\nevent: error\ndata: ${data}\n\n`);
  }

  refuse(error: RouterError, tags: RouteTags | null): void {
    const body = Buffer.from(JSON.stringify(errorBody(error, this.#requestId)));
    const headers = this.#headers("application/json; charset=utf-8", tags);
    headers.push("content-length", String(body.length));
    if (error.retryAfterMs !== null) {
      headers.push("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
    }
    this.#response.writeHead(error.status, headers);
    this.#response.end(body);
  }

  fail(error: RouterError, tags: RouteTags | null): number {
    const response = this.#response;
    if (!response.headersSent) this.refuse(error, tags);
    else if (!response.writableEnded) this.cut(error);
    return response.statusCode;
  }

  #headers(contentType: string, tags: RouteTags | null): string[] {
    this.#tags = tags;
    const headers = ["content-type", contentType, "x-request-id", this.#requestId];
    headers.push("cache-control", "no-store", "x-content-type-options", "nosniff");
    headers.push(...this.#rateLimits());
    if (tags === null) return headers;
    const { worker, attempts, queueMs } = tags;
    const gpuId = gpuIdOf(worker);
    headers.push("x-gpu-id", headerSafe(gpuId), "x-worker-id", headerSafe(worker.id));
    headers.push("x-route-attempts", String(attempts), "x-queue-ms", String(queueMs));
    return headers;
  }
}

/** Node writes texts of up to 16 KiB without memory of their own. */
const SHORT_BYTES = 8 * 1024;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Ids come from monitors and config files, where other characters are allowed. */
function headerSafe(id: string): string {
  return PRINTABLE_ASCII.test(id) ? id : encodeURIComponent(id);
}
