import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";
import { BENCH_KEY } from "./bench-config.ts";
import type { FaultyBody } from "./inject-faults-fleet.ts";
import type { Phase } from "./soak-client.ts";

export interface FaultyRequest {
  /** Counted from 1. */
  readonly number: number;
  /** Its id for the router. */
  readonly id: string;
  readonly kind: "json" | "stream" | "job";
  /** When the client leaves, or cancels its job. */
  readonly phase: Phase;
  /** 0..1, for what the phase leaves open. */
  readonly moment: number;
}

/** What the client saw; the router's log must say the same. */
export type Seen =
  | { readonly kind: "left" }
  | { readonly kind: "answer"; readonly status: number; readonly isWhole: boolean }
  | { readonly kind: "stream"; readonly end: "done" | "error event" | "cut" }
  | { readonly kind: "job"; readonly status: string }
  | { readonly kind: "no answer"; readonly why: string };

/** A request waits about this long where it waits. */
const LEAVES_WITHIN_MS = 30;
const JOB_LOOK_MS = 50;
const JOB_MS = 500;

/** Clients of all kinds, some of which leave at random moments. */
export class FaultyClients {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  readonly #url: string;
  readonly #held = new Map<number, () => void>();

  constructor(url: string) {
    this.#url = url;
  }

  /** A worker has got this request, and will not answer it. */
  held(number: number): void {
    this.#held.get(number)?.();
  }

  close(): void {
    this.#agent.destroy();
  }

  send(what: FaultyRequest): Promise<Seen> {
    return what.kind === "job" ? this.#job(what) : this.#direct(what);
  }

  async #direct({ number, id, kind, phase, moment }: FaultyRequest): Promise<Seen> {
    const body = { model: "stub-model", messages: [], ...forWorker(number, kind, phase) };
    const sent = this.#open("POST", "/v1/chat/completions", { id, body });
    return new Promise((resolve) => {
      const end = (seen: Seen): void => {
        this.#held.delete(number);
        resolve(seen);
      };
      const leave = (): void => {
        end({ kind: "left" });
        sent.destroy();
      };
      sent.on("error", (error) => end({ kind: "no answer", why: error.message }));
      sent.on("response", (response) => receive(response, { phase, leave, end }));
      if (phase === "before first byte") this.#held.set(number, leave);
      if (phase === "at once") setImmediate(leave);
      if (phase === "queued") setTimeout(leave, LEAVES_WITHIN_MS * moment);
    });
  }

  /** Submits, maybe cancels, and looks until it is over. */
  async #job({ number, id, phase, moment }: FaultyRequest): Promise<Seen> {
    const payload = { messages: [], ...forWorker(number, "job", null) };
    const times = { timeout: JOB_MS, queue_timeout: JOB_MS };
    const body = { request_id: id, model_id: "stub-model", ...times, payload };
    const submitted = await this.#call("POST", "/api/v1/route", { id, body });
    if (submitted.status !== 200) return { kind: "answer", isWhole: true, ...submitted };
    const path = `/api/v1/requests/${id}`;
    if (phase !== null) {
      await new Promise((resolve) => setTimeout(resolve, LEAVES_WITHIN_MS * moment));
      const { status } = await this.#call("DELETE", path, { id });
      if (status !== 200 && status !== 409) return { kind: "no answer", why: `DELETE ${status}` };
    }
    for (;;) {
      const { status, json } = await this.#call("GET", path, { id });
      if (status !== 200) return { kind: "no answer", why: `GET ${status}` };
      if (json["finished_at"] !== null) return { kind: "job", status: String(json["status"]) };
      await new Promise((resolve) => setTimeout(resolve, JOB_LOOK_MS));
    }
  }

  #call(method: string, path: string, what: Sending): Promise<Called> {
    return new Promise((resolve, reject) => {
      const sent = this.#open(method, path, what);
      sent.on("error", reject);
      sent.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => {
          const json = JSON.parse(text) as Record<string, unknown>;
          resolve({ status: response.statusCode ?? 0, json });
        });
      });
    });
  }

  #open(method: string, path: string, { id, body }: Sending): ClientRequest {
    const bytes = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${BENCH_KEY}`,
      "x-request-id": id,
      ...(body !== undefined && {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(bytes),
      }),
    };
    const sent = request(this.#url + path, { method, agent: this.#agent, headers });
    sent.end(bytes);
    return sent;
  }
}

interface Sending {
  readonly id: string;
  readonly body?: object;
}

interface Called {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

function forWorker(id: number, kind: FaultyRequest["kind"], phase: Phase): FaultyBody {
  const stream = kind === "stream";
  // A job's payload must not ask for a stream, and says nothing of it.
  return {
    id,
    hold: phase === "before first byte",
    ...(kind !== "job" && { stream }),
  } as FaultyBody;
}

interface Reception {
  readonly phase: Phase;
  readonly leave: () => void;
  readonly end: (seen: Seen) => void;
}

function receive(response: IncomingMessage, { phase, leave, end }: Reception): void {
  let text = "";
  const isStream = /event-stream/.test(response.headers["content-type"] ?? "");
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (phase === "mid-stream") leave();
    // In the tick in which the last bytes arrive, before the response has ended.
    else if (phase === "at its end" && /\[DONE\]|\}$/.test(text)) leave();
  });
  response.on("error", (error) =>
    end({ kind: "no answer", why: `half an answer: ${error.message}` }),
  );
  response.on("end", () => {
    const status = response.statusCode ?? 0;
    if (isStream) end({ kind: "stream", end: streamEnd(text) });
    else end({ kind: "answer", status, isWhole: isJson(text) });
  });
}

function streamEnd(text: string): "done" | "error event" | "cut" {
  if (/\n\nevent: error\ndata: \{.*\}\n\n$/.test(text)) return "error event";
  return text.endsWith("data: [DONE]\n\n") ? "done" : "cut";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
