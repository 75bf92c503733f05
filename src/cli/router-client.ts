import type { Clock } from "../clock.ts";
import { networkFailure } from "../network-failure.ts";

/** Reads are answered in milliseconds: after so long nobody will answer any more. */
const TIMEOUT_MS = 30_000;

/** The router refused, or none answers. The message is one sentence for the operator. */
export class Refusal extends Error {
  /** Asked again, it may well be answered. */
  readonly isPassing: boolean;

  constructor(message: string, { isPassing = false } = {}) {
    super(message);
    this.isPassing = isPassing;
  }
}

export interface RouterClientOptions {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** null = none; only /health answers without. */
  readonly key: string | null;
  readonly clock: Pick<Clock, "after">;
  readonly fetch: typeof fetch;
}

interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** Sent as it is: JSON. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  /** The router's own clock, to the second, so that its times can be told as durations. */
  readonly atWallMs: number;
}

/** `Body` is what a router of this version answers; other versions may leave fields out. */
export type RouterClient = <Body>(call: Call) => Promise<Answer<Body>>;

/** Every call throws Refusal, and nothing else, where there is no answer of a router to return. */
export function createRouterClient(options: RouterClientOptions): RouterClient {
  return async <Body>(call: Call): Promise<Answer<Body>> => {
    const { response, text } = await exchange(call, options);
    const body = parsed(text);
    const error = errorIn(body);
    const isPassing = response.status >= 500;
    if (error !== null) throw new Refusal(`${error} (HTTP ${response.status})`, { isPassing });
    // Only /health answers 503 without an error: a router that can serve nobody.
    if (body === null || (!response.ok && response.status !== 503)) {
      throw new Refusal(
        `${options.url} answered ${call.path} with HTTP ${response.status}, and not as a ` +
          "gpu-request-router does: set ROUTER_URL to the router's address",
        { isPassing },
      );
    }
    const atWallMs = Date.parse(response.headers.get("date") ?? "");
    return { status: response.status, body: body as Body, atWallMs };
  };
}

async function exchange(call: Call, { url, key, clock, fetch }: RouterClientOptions) {
  const { method = "GET", path, body, headers } = call;
  const timeout = new AbortController();
  const timer = clock.after(TIMEOUT_MS, () => timeout.abort());
  try {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body }),
      // A key is for the router alone, not for what it may point to.
      redirect: "manual",
      signal: timeout.signal,
    });
    return { response, text: await response.text() };
  } catch (error) {
    const why = timeout.signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : cause(error);
    const message = `no router answers at ${url}: ${why}; start it, or set ROUTER_URL`;
    throw new Refusal(message, { isPassing: true });
  } finally {
    timer.cancel();
  }
}

/** fetch says only that it failed; what happened is beneath. */
function cause(error: unknown): string {
  return networkFailure(error instanceof Error && error.cause ? error.cause : error);
}

/** null: not JSON, or not an object. */
function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

function errorIn(body: object | null): string | null {
  const { error } = (body ?? {}) as { readonly error?: { code?: unknown; message?: unknown } };
  if (typeof error?.code !== "string" || typeof error.message !== "string") return null;
  return `${error.code}: ${error.message}`;
}
