import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { sleep, systemClock } from "../../src/clock.ts";
import { listenOnLoopback, readBody, type StubServer } from "./stub-server.ts";

export type SinkLine = Readonly<Record<string, unknown>>;

export interface ReceivedBatch {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** What it was answered; null = nothing, so far or for ever. */
  status: number | null;
}

/** A Logging Service on loopback that keeps what it gets. */
export class StubLogSink {
  /** What it answers, once a batch was read; null = nothing. */
  status: number | null = 204;
  answerHeaders: Readonly<Record<string, string>> = {};
  /** How long it takes for that. */
  delayMs = 0;
  /** In order of arrival. */
  readonly batches: ReceivedBatch[] = [];
  #server: StubServer | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get openConnections(): number {
    return this.#server?.openConnections ?? 0;
  }

  /** Those of batches that it took, of the format json. */
  get lines(): readonly SinkLine[] {
    return this.batches
      .filter(({ status }) => status === 200 || status === 204)
      .flatMap(({ text }) => JSON.parse(text) as readonly SinkLine[]);
  }

  /** Listens; after a stop on the same port as before. */
  async start(): Promise<this> {
    this.#server = await listenOnLoopback(this.#port, (request, response) => {
      void this.#receive(request, response);
    });
    this.#port = this.#server.port;
    return this;
  }

  /** Breaks all connections, and refuses new ones. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.close();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readBody(request);
    if (text === null) return;
    const { url: path = "", headers } = request;
    const batch: ReceivedBatch = { path, headers, text, status: null };
    this.batches.push(batch);
    const { status, delayMs, answerHeaders } = this;
    if (status === null) return;
    if (delayMs > 0) await sleep(systemClock, delayMs);
    batch.status = status;
    response.writeHead(status, answerHeaders).end(status === 204 ? undefined : "an answer");
  }
}
