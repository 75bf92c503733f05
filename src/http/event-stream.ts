import type { ServerResponse } from "node:http";

/** Server-sent events to one client, written raw: the framework would wait for the end. */
export class EventStream {
  readonly #response: ServerResponse;
  #lastId = 0;

  constructor(response: ServerResponse, requestId: string) {
    this.#response = response;
    response.writeHead(200, [
      ...["content-type", "text/event-stream", "x-request-id", requestId],
      ...["cache-control", "no-store", "x-content-type-options", "nosniff"],
      // Proxies such as nginx would hold events back until their buffer is full.
      ...["x-accel-buffering", "no"],
    ]);
  }

  /** The client reads slower than is written: what it can do without should be left out. */
  get isBackedUp(): boolean {
    return this.#response.writableNeedDrain;
  }

  send(event: string, data: unknown): void {
    this.#lastId += 1;
    this.#response.write(`event: ${event}\nid: ${this.#lastId}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** A comment: keeps proxies from closing a quiet connection. */
  ping(): void {
    this.#response.write(": ping\n\n");
  }

  end(): void {
    this.#response.end();
  }
}
