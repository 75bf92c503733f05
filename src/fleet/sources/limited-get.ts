import { request, Agent } from "undici";
import type { Clock } from "../../clock.ts";
import { networkFailure } from "../../network-failure.ts";

/** A GET that cannot hang, flood the memory, be led elsewhere or leave a connection behind. */
export interface LimitedGet {
  /** Without credentials: it is shown in errors. */
  readonly url: string;
  /** Sent as Bearer, never shown. */
  readonly token: string | null;
  /** For the whole answer, its body included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly clock: Clock;
}

export interface GetAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Without keep-alive: polls come every few seconds, when servers with a keep-alive of 5 s (uvicorn)
 * are just closing the connection, and the poll would fail for nothing.
 */
export function createGetAgent(timeoutMs: number): Agent {
  return new Agent({ pipelining: 0, allowH2: false, connect: { timeout: timeoutMs } });
}

/** Rejects with an Error that says what failed and where; `cause` is the network's own. */
export async function limitedGet(agent: Agent, options: LimitedGet): Promise<GetAnswer> {
  const { url, token, timeoutMs, maxBytes, clock } = options;
  const abort = new AbortController();
  const deadline = clock.after(timeoutMs, () => {
    abort.abort(new Error(`no complete answer within ${timeoutMs} ms`));
  });
  try {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: agent,
      signal: abort.signal,
      headers: {
        "accept-encoding": "identity",
        ...(token && { authorization: `Bearer ${token}` }),
      },
    });
    const text = await readText(body, maxBytes);
    const encoding = headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      throw new Error(`answered compressed (${String(encoding)}), though identity was asked for`);
    }
    return { status: statusCode, text };
  } catch (error) {
    throw new Error(`GET ${url}: ${networkFailure(error)}`, { cause: error });
  } finally {
    deadline.cancel();
  }
}

async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the body, and the connection with it.
    if (bytes > maxBytes) throw new Error(`answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What an answer with another status than 200 means, to be read after the URL. */
export function refusal(status: number): string {
  if (status === 401 || status === 403) {
    return `answered ${status}: it refused our token; set gpu_monitoring.token_env`;
  }
  const redirect = status >= 300 && status < 400 ? " (redirects are not followed)" : "";
  return `answered ${status}${redirect}, expected 200; check gpu_monitoring.url`;
}
