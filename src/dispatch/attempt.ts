import { buildConnector, Pool } from "undici";
import type { Clock, Timer } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { SignsOfLife } from "../failures/signs-of-life.ts";
import type { Worker } from "../fleet/worker.ts";
import { mustLoadModel } from "../routing/load.ts";
import { STALLED_CLIENT_MS, type AnswerSink, type RouteTags } from "./answer.ts";
import type { Deadlines } from "./deadlines.ts";
import { withModel } from "./model-alias.ts";
import { Relay, type AttemptResult } from "./relay.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** One try of one request on one worker. Never rejects: every end is an outcome. */
export type Attempt = (job: AttemptJob) => Promise<AttemptResult>;

export interface AttemptJob {
  readonly worker: Worker;
  readonly request: RoutedRequest;
  /** Gets a stream's bytes directly; a whole answer comes back in the result. */
  readonly sink: AnswerSink;
  readonly tags: RouteTags;
}

export interface AttemptSettings {
  /** request_router.stream_idle_timeout. */
  readonly streamIdleMs: number;
  /** request_router.max_response_mb. */
  readonly maxAnswerBytes: number;
}

export interface AttemptsOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly signsOfLife: SignsOfLife;
  /** Asked as each attempt begins, which keeps what it began with. */
  readonly settings: () => AttemptSettings;
  /** Opens what reaches the workers of an origin; a pool of HTTP connections where it is left out. */
  readonly connect?: Connect | undefined;
}

/** What an attempt needs of a pool of connections: undici's is one, the simulator has another. */
export interface Upstream {
  /** Tells the relay of all that follows, in undici's order: never before it has returned. */
  dispatch(request: UpstreamRequest, relay: Relay): unknown;
  /** Called as a request goes out, once for each: did its connection carry others before it? */
  isReused?(): boolean;
  /** Ends what is under way at once. */
  destroy(): Promise<void>;
}

export type Connect = (origin: string) => Upstream;
export type UpstreamRequest = ReturnType<typeof upstreamRequest>;

const CONNECT_TIMEOUT_MS = 2000;
/** Below the 5 s after which common Python and C++ servers close idle connections. */
const KEEP_ALIVE_MS = 4000;

/** Sends to workers over HTTP: one pool of connections each. */
export class Attempts {
  readonly #options: AttemptsOptions;
  /** By the workers' URLs. */
  readonly #pools = new Map<string, WorkerPool>();
  /** Of workers that are gone, until the last attempt on each has ended. */
  readonly #retired = new Set<WorkerPool>();

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  readonly attempt: Attempt = (job) =>
    new Promise((resolve) => {
      const { worker, request, sink, tags } = job;
      const { clock, signsOfLife, settings } = this.#options;
      const { maxAnswerBytes, streamIdleMs } = settings();
      const pool = this.#poolFor(worker);
      const options = upstreamRequest(worker, request, pool.basePath);
      pool.open += 1;
      const relay = new Relay({
        sink,
        tags,
        stream: request.stream,
        maxAnswerBytes,
        clock,
        isReused: () => pool.upstream.isReused?.() ?? false,
        onSignOfLife: (nowMs) => signsOfLife.saw(worker.index, nowMs),
        onEnd: (result) => {
          stopWatching();
          this.#attemptEnded(pool);
          request.abandonment.listen(null);
          resolve(result);
        },
      });
      const stopWatching = this.#watch(relay, job, streamIdleMs);
      request.abandonment.listen(() => relay.abort({ kind: "abandoned" }));
      pool.upstream.dispatch(options, relay);
    });

  /** After the workers have changed: those that are gone lose their connections as they fall idle. */
  keepOnly(workers: Iterable<Pick<Worker, "url">>): void {
    const kept = new Set([...workers].map(({ url }) => url));
    for (const [url, pool] of this.#pools) {
      if (kept.has(url)) continue;
      this.#pools.delete(url);
      this.#retired.add(pool);
      this.#dropIfIdle(pool);
    }
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#retired];
    this.#pools.clear();
    this.#retired.clear();
    await Promise.all(pools.map(({ upstream }) => upstream.destroy()));
  }

  /** The deadline up to the first byte of a stream, its idle limit from then on. */
  #watch(relay: Relay, { worker, request, sink }: AttemptJob, streamIdleMs: number): () => void {
    const { clock, deadlines, signsOfLife } = this.#options;
    const startedAtMs = clock.now();
    const loadMs = mustLoadModel(worker, request.model) ? worker.loadTimeoutMs : 0;
    const deadlineAtMs = request.deadlineAtMs + loadMs;
    // A stream may begin at any moment, and must then be looked at within its idle limit.
    const lookAt = (dueAtMs: number): Timer =>
      deadlines.at(request.stream ? Math.min(dueAtMs, clock.now() + streamIdleMs) : dueAtMs, check);
    const check = (): void => {
      const { committed, waitsForClient } = relay;
      const idleMs = waitsForClient ? STALLED_CLIENT_MS : streamIdleMs;
      const dueAtMs = committed ? relay.lastProgressAtMs + idleMs : deadlineAtMs;
      if (clock.now() < dueAtMs) {
        timer = lookAt(dueAtMs);
        return;
      }
      if (committed) sink.cut(idleError(idleMs, waitsForClient));
      if (waitsForClient) return relay.abort({ kind: "abandoned" });
      // The stream's own earlier bytes say nothing about its silence.
      const sinceMs = committed ? relay.lastProgressAtMs + 1 : startedAtMs;
      const workerAlive = signsOfLife.since(worker.index, sinceMs);
      relay.abort({ kind: "timeout", workerAlive, committed });
    };
    let timer = lookAt(deadlineAtMs);
    return () => timer.cancel();
  }

  #attemptEnded(pool: WorkerPool): void {
    pool.open -= 1;
    this.#dropIfIdle(pool);
  }

  #dropIfIdle(pool: WorkerPool): void {
    if (pool.open === 0 && this.#retired.delete(pool)) void pool.upstream.destroy();
  }

  #poolFor(worker: Worker): WorkerPool {
    const { connect = openPool } = this.#options;
    let pool = this.#pools.get(worker.url);
    if (!pool) {
      const { origin, pathname } = new URL(worker.url);
      const basePath = pathname === "/" ? "" : pathname;
      pool = { upstream: connect(origin), basePath, open: 0 };
      this.#pools.set(worker.url, pool);
    }
    return pool;
  }
}

interface WorkerPool {
  readonly upstream: Upstream;
  /** "" for http://host:8000, "/llm" for http://host/llm. */
  readonly basePath: string;
  /** Attempts under way on it. */
  open: number;
}

/** Deadlines are ours (the wheel), and so is the bound on connections (leases). */
function openPool(origin: string): Upstream {
  const connector = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false });
  /** Connections that stand and have carried nothing: a request is sent in the tick that makes one. */
  let unused = 0;
  const connect: buildConnector.connector = (options, callback) =>
    connector(options, (...result) => {
      if (result[0] === null) unused += 1;
      callback(...result);
    });
  const pool = new Pool(origin, {
    pipelining: 1,
    connect,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    dispatch: (request, relay) => pool.dispatch(request, relay),
    destroy: () => pool.destroy(),
    isReused() {
      if (unused === 0) return true;
      unused -= 1;
      return false;
    },
  };
}

/** New headers from an allow list, and the client's own bytes: nothing else of the client's passes. */
function upstreamRequest(worker: Worker, request: RoutedRequest, basePath: string) {
  const served = worker.models.get(request.model);
  const renamed = served !== undefined && served.name !== request.model;
  const headers = [
    "content-type",
    "application/json",
    "accept-encoding",
    "identity",
    "accept",
    request.stream ? "text/event-stream" : "application/json",
  ];
  // Some servers refuse an id that is no UUID, and then the request with it.
  if (UUID.test(request.id)) headers.push("x-request-id", request.id);
  if (worker.apiKey !== null) headers.push("authorization", `Bearer ${worker.apiKey}`);
  return {
    method: "POST" as const,
    path: `${basePath}${request.path}`,
    headers,
    body: renamed ? withModel(request.body, served.name) : request.body,
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function idleError(idleMs: number, waitsForClient: boolean): RouterError {
  const message = waitsForClient
    ? `the client read nothing for ${idleMs / 1000} s`
    : `the worker sent nothing for ${idleMs / 1000} s (request_router.stream_idle_timeout)`;
  return new RouterError("DEADLINE_EXCEEDED", message);
}
