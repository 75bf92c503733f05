import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";
import { BENCH_KEY } from "./bench-config.ts";

/** When the client goes away. null = it stays to the end. */
export const PHASES = [
  "at once",
  "queued",
  "before first byte",
  "mid-stream",
  "at its end",
] as const;
export type Phase = (typeof PHASES)[number] | null;

export interface SoakRequest {
  readonly id: number;
  readonly stream: boolean;
  readonly phase: Phase;
}

export type SoakOutcome = "answered" | "aborted" | `status ${number}` | `error ${string}`;

/** Sends requests to the router, and goes away in the middle of some. */
export class SoakClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  readonly #url: string;
  readonly #held = new Map<number, () => void>();

  constructor(url: string) {
    this.#url = url;
  }

  /** A worker has got this request, and will not answer it. */
  arrived(id: number): void {
    this.#held.get(id)?.();
  }

  close(): void {
    this.#agent.destroy();
  }

  send({ id, stream, phase }: SoakRequest): Promise<SoakOutcome> {
    const hold = phase === "before first byte";
    const body = JSON.stringify({ model: "soak", stream, id, hold, messages: [] });
    return new Promise((resolve) => {
      const sent = this.#open(body);
      const end = (outcome: SoakOutcome): void => {
        this.#held.delete(id);
        resolve(outcome);
      };
      const abort = (): void => {
        end("aborted");
        sent.destroy();
      };
      sent.on("error", (error: NodeJS.ErrnoException) =>
        end(`error ${error.code ?? error.message}`),
      );
      sent.on("response", (response) => receive(response, { phase, abort, end }));
      if (hold) this.#held.set(id, abort);
      sent.end(body);
      if (phase === "at once") setImmediate(abort);
      if (phase === "queued") setTimeout(abort, (QUEUED_MS_MAX * (id % 1000)) / 1000);
    });
  }

  #open(body: string): ClientRequest {
    return request(`${this.#url}/v1/chat/completions`, {
      method: "POST",
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${BENCH_KEY}`,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      },
    });
  }
}

/** A request waits about this long in the soak. */
const QUEUED_MS_MAX = 20;

interface Reception {
  readonly phase: Phase;
  readonly abort: () => void;
  readonly end: (outcome: SoakOutcome) => void;
}

function receive(response: IncomingMessage, { phase, abort, end }: Reception): void {
  response.on("error", () => end("aborted"));
  response.on("data", (chunk: Buffer) => {
    if (phase === "mid-stream") abort();
    // In the tick in which the last bytes arrive, before the response has ended.
    else if (phase === "at its end" && isLast(chunk)) abort();
  });
  response.on("end", () => {
    end(response.statusCode === 200 ? "answered" : `status ${response.statusCode ?? 0}`);
  });
}

function isLast(chunk: Buffer): boolean {
  return chunk.includes("[DONE]") || chunk.at(-1) === "}".charCodeAt(0);
}
