import type { IncomingMessage, ServerResponse } from "node:http";
import { listenOnLoopback, readBody, type StubServer } from "../support/stub-server.ts";

/** hung: takes a batch and never answers. slow: answers after two seconds. */
export type SinkState = "healthy" | "down" | "hung" | "slow";

const SLOW_MS = 2000;

/** A Logging Service that counts what it took, and keeps nothing. */
export class BenchSink {
  /** Lines of batches that it answered. */
  linesTaken = 0;
  #state: SinkState = "healthy";
  #server: StubServer | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What hangs in it stays unanswered, also when it is well again. */
  async become(state: SinkState): Promise<void> {
    this.#state = state;
    if (state === "down") {
      await this.#server?.close();
      this.#server = null;
    } else {
      this.#server ??= await listenOnLoopback(this.#port, (request, response) => {
        void this.#receive(request, response);
      });
      this.#port = this.#server.port;
    }
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readBody(request);
    if (text === null || this.#state === "hung") return;
    if (this.#state === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    if (response.destroyed) return;
    this.linesTaken += (JSON.parse(text) as readonly unknown[]).length;
    response.writeHead(204).end();
  }
}
