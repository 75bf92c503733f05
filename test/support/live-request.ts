import { request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Arrivals } from "./arrivals.ts";
import type { TestRouter } from "./test-router.ts";

export interface LiveRequestOptions {
  readonly path?: string;
  /** Text and bytes go out as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A chat request, as short as routing allows. */
export const CHAT = { model: "stub-model", messages: [] };
export const STREAMED_CHAT = { ...CHAT, stream: true };

/** Sends a request on a connection of its own, on which a test can look at each step of it. */
export function sendLive(router: TestRouter, options: LiveRequestOptions = {}): LiveRequest {
  const { path = "/v1/chat/completions", body = CHAT, headers = {} } = options;
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(asText(body));
  const outgoing = request(router.url + path, {
    agent: false,
    method: "POST",
    headers: {
      authorization: `Bearer ${router.keys.user}`,
      "content-type": "application/json",
      "content-length": bytes.length,
      ...headers,
    },
  });
  outgoing.end(bytes);
  return new LiveRequest(outgoing);
}

export class LiveRequest {
  readonly #outgoing: ClientRequest;
  readonly #head: Promise<IncomingMessage>;
  readonly #chunks = new Arrivals<Buffer>();
  #reading = false;

  constructor(outgoing: ClientRequest) {
    this.#outgoing = outgoing;
    this.#head = new Promise((resolve, reject) => {
      outgoing.once("response", resolve).once("error", reject);
    });
    // After an abort nobody waits for the answer.
    this.#head.catch(() => {});
    outgoing.on("error", () => {});
  }

  /** Resolves with the headers; the body is not read before one of the methods below is called. */
  head(): Promise<IncomingMessage> {
    return this.#head;
  }

  /** The nth call gives the nth piece that arrived. */
  async nextChunk(): Promise<string> {
    this.#read(await this.#head);
    return (await this.#chunks.next()).toString("latin1");
  }

  /** The whole body; rejects when the connection ends before it. */
  async bytes(): Promise<Buffer> {
    const incoming = await this.#head;
    this.#read(incoming);
    if (!incoming.readableEnded) {
      await new Promise((resolve, reject) => {
        incoming.once("end", resolve).once("error", reject);
      });
    }
    return Buffer.concat(this.#chunks.all);
  }

  async text(): Promise<string> {
    return (await this.bytes()).toString();
  }

  abort(): void {
    this.#outgoing.destroy();
  }

  #read(incoming: IncomingMessage): void {
    if (this.#reading) return;
    this.#reading = true;
    incoming.on("data", (chunk: Buffer) => this.#chunks.add(chunk));
    incoming.on("error", () => {});
  }
}

function asText(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}
