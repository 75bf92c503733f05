import { Agent, request, type Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import { parseRetryAfterMs } from "../retry-after.ts";
import { networkFailure } from "../network-failure.ts";
import type { Log } from "../log.ts";
import { LogBacklog } from "./log-backlog.ts";
import { createSingleLookup } from "./log-lookup.ts";
import { LOG_FORMATS, type LogFormatName } from "./log-formats.ts";
import { LogSender, type PostResult } from "./log-sender.ts";
import { LogSinkState } from "./log-sink-state.ts";

/** The Logging Service: `url` of the config, with http or https and without credentials. */
export interface LogSink {
  readonly url: string;
  readonly format: LogFormatName;
}

export interface LogShipperDeps {
  readonly clock: Clock;
  /** For the news that the Logging Service fails, or works again. */
  readonly log: Log;
}

/** Some 25,000 request lines, or a minute of 450 requests a second. */
const BACKLOG_BYTES = 8 * 1024 * 1024;
/** Less than a batch may take, so that a connection that cannot be is told as such. */
const CONNECT_TIMEOUT_MS = 2_000;
/** With what the smallest batches need after it, still within 5 s of the service's return. */
const ANSWER_TIMEOUT_MS = 3_000;
/** Less than common servers keep idle connections, or a batch may meet the close of its own. */
const KEEP_ALIVE_MS = 2_000;
const LONGEST_RETRY_AFTER_MS = 30_000;
/** Read so that the connection can be used again; nobody is shown it. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** Sends a copy of the log to the Logging Service, and never waits for it or fails with it. */
export function createLogShipper(sink: LogSink, { clock, log }: LogShipperDeps): LogSender {
  const agent = new Agent({
    ...{ connections: 1, pipelining: 1, allowH2: false },
    connect: { timeout: CONNECT_TIMEOUT_MS, lookup: createSingleLookup(), autoSelectFamily: true },
    ...{ keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS },
    // Undici's own limits of time are coarse: ours is the signal.
    ...{ headersTimeout: 0, bodyTimeout: 0 },
  });
  return new LogSender({
    clock,
    backlog: new LogBacklog(BACKLOG_BYTES),
    state: new LogSinkState(clock, log, sink.url),
    post: (lines) => postLines(lines, { sink, agent, clock }),
    onClose: () => void agent.destroy(),
    random: Math.random,
  });
}

interface Way {
  readonly sink: LogSink;
  readonly agent: Agent;
  readonly clock: Clock;
}

async function postLines(lines: Buffer, { sink, agent, clock }: Way): Promise<PostResult> {
  const late = new AbortController();
  const deadline = clock.after(ANSWER_TIMEOUT_MS, () => {
    late.abort(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`));
  });
  try {
    const { address, body } = LOG_FORMATS[sink.format];
    const answer = await request(address(sink.url), {
      dispatcher: agent,
      signal: late.signal,
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "gpu-request-router" },
      body: body(lines),
    });
    // The status was said: whatever becomes of the body does not change it.
    await answer.body.dump({ limit: ANSWER_BYTES_MAX }).catch(() => {});
    return resultOf(answer, clock);
  } catch (error) {
    return { kind: "failed", problem: networkFailure(error), retryAfterMs: null };
  } finally {
    deadline.cancel();
  }
}

/** Redirects are not followed: the log goes where the config says, and nowhere else. */
function resultOf(
  { statusCode, headers }: Pick<Dispatcher.ResponseData, "statusCode" | "headers">,
  clock: Clock,
): PostResult {
  if (statusCode >= 200 && statusCode < 300) return { kind: "taken" };
  if (statusCode === 413) return { kind: "too large" };
  const problem = `answered ${statusCode}`;
  const mayChange = statusCode === 408 || statusCode === 429 || statusCode >= 500;
  if (!mayChange) return { kind: "refused", problem };
  const retryAfterMs = parseRetryAfterMs(headers["retry-after"], clock, LONGEST_RETRY_AFTER_MS);
  return { kind: "failed", problem, retryAfterMs };
}
