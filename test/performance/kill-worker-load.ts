import { Agent, request, type IncomingMessage } from "node:http";
import { BENCH_KEY } from "./bench-config.ts";

/** One request, as its client saw it. Times are of performance.now(). */
export interface Served {
  /** Its id for the router. */
  readonly id: string;
  readonly stream: boolean;
  /** 0: the connection broke before an answer. */
  readonly status: number;
  readonly workerId: string;
  /** A whole answer, or a stream up to [DONE]; cut: without [DONE] and without an error event. */
  readonly end: "whole" | "error event" | "cut";
  readonly sentAtMs: number;
  readonly endedAtMs: number;
}

/** Lanes that each have one request under way at any moment, JSON and streams in turn. */
export class SteadyLoad {
  /** In the order of their ends. */
  readonly served: Served[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  readonly #url: string;
  #sent = 0;
  readonly #lanes: Promise<unknown>;
  readonly #stopped = new AbortController();

  constructor(url: string, lanes: number) {
    this.#url = url;
    this.#lanes = Promise.all(Array.from({ length: lanes }, (_, index) => this.#lane(index)));
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#lanes;
    this.#agent.destroy();
  }

  async #lane(index: number): Promise<void> {
    const { signal } = this.#stopped;
    for (let turn = index; !signal.aborted; turn++)
      this.served.push(await this.#send(turn % 2 === 0));
  }

  #send(stream: boolean): Promise<Served> {
    const body = JSON.stringify({ model: "bench", messages: [], stream });
    const id = `kill-${(this.#sent += 1)}`;
    const sentAtMs = performance.now();
    return new Promise((resolve) => {
      const end = (how: Served["end"], response?: IncomingMessage): void => {
        const status = response?.statusCode ?? 0;
        const workerId = String(response?.headers["x-worker-id"] ?? "");
        const endedAtMs = performance.now();
        resolve({ id, stream, status, workerId, end: how, sentAtMs, endedAtMs });
      };
      const headers = {
        authorization: `Bearer ${BENCH_KEY}`,
        "content-type": "application/json",
        "content-length": body.length,
        "x-request-id": id,
      };
      const url = `${this.#url}/v1/chat/completions`;
      const sent = request(url, { method: "POST", agent: this.#agent, headers });
      sent.on("error", () => end("cut"));
      sent.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("error", () => end("cut", response));
        response.on("end", () => end(endOf(text), response));
      });
      sent.end(body);
    });
  }
}

function endOf(text: string): Served["end"] {
  if (/\n\nevent: error\ndata: \{.*\}\n\n$/.test(text)) return "error event";
  return text.endsWith("data: [DONE]\n\n") || text.endsWith("}") ? "whole" : "cut";
}
