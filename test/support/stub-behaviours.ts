import type { ServerResponse } from "node:http";
import type { StreamControl } from "./stream-control.ts";

/** What a stub worker does with one request. Every way to fail is a value that a test can name. */
export type Behaviour = (exchange: Exchange) => void | Promise<void>;

export interface Exchange {
  readonly request: StubRequest;
  readonly response: ServerResponse;
  /** The stub's own stepping, used by `steppedStream()` unless it is given another. */
  readonly stream: StreamControl;
  /** Destroys the connection without counting it as the client's abort. */
  readonly cut: () => void;
}

export interface StubRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A chat completion with usage, or any other JSON value. */
export function json(value: unknown = chatCompletion()): Behaviour {
  return respond({ status: 200, body: JSON.stringify(value) });
}

export interface FixedAnswer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function respond({ status, body = "", headers = {} }: FixedAnswer): Behaviour {
  return ({ response }) => {
    const length = String(Buffer.byteLength(body));
    const basics = { "content-type": "application/json", "content-length": length };
    response.writeHead(status, { ...basics, ...headers }).end(body);
  };
}

/** An error body as vLLM words it. */
export function error(status: number, message: string, headers = {}): Behaviour {
  const body = JSON.stringify({
    error: { message, type: "stub_error", param: null, code: status },
  });
  return respond({ status, body, headers });
}

export const unauthorized: Behaviour = error(401, "Invalid API key.");
export const html: Behaviour = respond({
  status: 200,
  body: "<html><body>Welcome to nginx!</body></html>",
  headers: { "content-type": "text/html" },
});
export const invalidJson: Behaviour = respond({ status: 200, body: '{"id": "chatcmpl-1", "cho' });

/** 503, with `Retry-After` as given: seconds, a date, or nonsense. */
export function overloaded(retryAfter = "1"): Behaviour {
  return error(503, "The stub is overloaded.", { "retry-after": retryAfter });
}

/** Answers whatever it got, and gets from then on, once the returned function is called. */
export function held(): { readonly behaviour: Behaviour; readonly release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const behaviour: Behaviour = async (exchange) => {
    await promise;
    await json()(exchange);
  };
  return { behaviour, release: resolve };
}

/** Never answers: only the client or `close()` ends it. */
export const hangBeforeHeaders: Behaviour = () => {};

/** All of `chunkCount` chunks at once, a usage chunk, and `[DONE]`. */
export function stream(chunkCount = 3): Behaviour {
  return ({ response }) => {
    beginStream(response);
    for (let index = 0; index < chunkCount; index++) response.write(chatChunk(index));
    response.end(endOfStream(chunkCount));
  };
}

/** Headers and the first chunk after one `step()`, then one chunk per step, then the end. */
export function steppedStream(chunkCount = 3, control?: StreamControl): Behaviour {
  return async ({ response, stream: shared }) => {
    const steps = control ?? shared;
    for (let index = 0; index < chunkCount; index++) {
      if (!(await steps.taken(response))) return;
      if (index === 0) beginStream(response);
      response.write(chatChunk(index));
    }
    if (!(await steps.taken(response))) return;
    response.end(endOfStream(chunkCount));
  };
}

/** `chunkCount` chunks, then silence; with 0, only headers. */
export function hangMidStream(chunkCount = 1): Behaviour {
  return ({ response }) => {
    beginStream(response);
    response.flushHeaders();
    for (let index = 0; index < chunkCount; index++) response.write(chatChunk(index));
  };
}

/** The comment with which servers keep a stream open that has nothing to say yet. */
export const COMMENT = ": ping\n\n";

/** Headers, then pieces as they are, one per `step()`; after the last step the connection breaks. */
export function steppedPieces(...pieces: readonly string[]): Behaviour {
  return async ({ response, stream: steps, cut }) => {
    beginStream(response);
    response.flushHeaders();
    for (const piece of pieces) {
      if (!(await steps.taken(response))) return;
      await flushed(response, piece);
    }
    if (await steps.taken(response)) cut();
  };
}

export const destroyBeforeHeaders: Behaviour = ({ cut }) => cut();

/** The same with a TCP reset instead of an orderly close. */
export const resetBeforeHeaders: Behaviour = ({ response, cut }) => {
  response.socket?.resetAndDestroy();
  cut();
};

export const destroyAfterHeaders: Behaviour = async ({ response, cut }) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "500" });
  await flushed(response, "");
  cut();
};

/** A stream that breaks after `chunkCount` chunks, without its end. */
export function destroyMidStream(chunkCount = 1): Behaviour {
  return async ({ response, cut }) => {
    beginStream(response);
    for (let index = 0; index < chunkCount; index++) await flushed(response, chatChunk(index));
    cut();
  };
}

/** A JSON answer whose content-length promises more than comes before the connection ends. */
export const truncated: Behaviour = async ({ response, cut }) => {
  const body = JSON.stringify(chatCompletion());
  const length = String(Buffer.byteLength(body));
  response.writeHead(200, { "content-type": "application/json", "content-length": length });
  await flushed(response, body.slice(0, body.length / 2));
  cut();
};

/** These bytes as the whole answer, with headers and all; then the connection ends, or stays open. */
export function rawAnswer(bytes: string | Buffer, { thenClose = true } = {}): Behaviour {
  return async ({ response, cut }) => {
    await new Promise<void>((resolve) => response.socket?.write(bytes, () => resolve()));
    if (thenClose) cut();
  };
}

export function chatCompletion(text = "hello from the stub", completionTokens = 4): object {
  return {
    id: "chatcmpl-stub",
    object: "chat.completion",
    created: 1_767_225_600,
    model: "stub-model",
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    usage: usage(completionTokens),
  };
}

/** One SSE event, as bytes on the wire. */
export function chatChunk(index: number): string {
  const choices = [{ index: 0, delta: { content: `token${index} ` }, finish_reason: null }];
  return `data: ${JSON.stringify({ ...chunkBase, choices })}\n\n`;
}

function endOfStream(completionTokens: number): string {
  const last = { ...chunkBase, choices: [], usage: usage(completionTokens) };
  return `data: ${JSON.stringify(last)}\n\ndata: [DONE]\n\n`;
}

const chunkBase = {
  id: "chatcmpl-stub",
  object: "chat.completion.chunk",
  created: 1_767_225_600,
  model: "stub-model",
};

function usage(completionTokens: number): object {
  const promptTokens = 5;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

function beginStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
}

/** Resolves when the bytes left for the socket, so that a following cut does not swallow them. */
function flushed(response: ServerResponse, bytes: string): Promise<void> {
  response.flushHeaders();
  return new Promise((resolve) => {
    if (bytes === "") response.socket?.write("", () => resolve());
    else response.write(bytes, () => resolve());
  });
}
