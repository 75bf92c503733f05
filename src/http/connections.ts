import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { onRequestHookHandler } from "fastify";
import type { Clock, Timer } from "../clock.ts";
import { STALLED_CLIENT_MS } from "../dispatch/answer.ts";
import { RouterError } from "../errors.ts";
import type { Log } from "../log.ts";
import { connectionLimit } from "./connection-limit.ts";
import type { RouterApp } from "./router-app.ts";

export interface ConnectionsDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** True: each answer asks its client to come back on another connection. */
  readonly sendsAway: () => boolean;
  /** Called for each connection that could not be taken. */
  readonly onRefused: () => void;
}

/** Clients that pipeline more would take, alone, what others wait for; no common one pipelines. */
const UNANSWERED_MAX = 16;
/** Beyond the limit, for those who ask after the router's health: it must not look dead when full. */
const SURPLUS = 32;
/** Of a surplus connection, so that the next one gets its turn. */
const SURPLUS_MS = 2000;
/** For a client that goes on sending after our last answer to it. */
const LINGER_MS = 5_000;
const LOOK_EVERY_MS = 5_000;
const LOG_EVERY_MS = 60_000;
const RETRY_AFTER_MS = 1000;

/** All that is known of one connection. */
class Connection {
  readonly #all: Connections;
  readonly isSurplus: boolean;
  unanswered = 0;
  /** To the latest of its requests. */
  answer: ServerResponse | null = null;
  /** What waited for the client when it was last looked at, and how long that has been so. */
  backlog = "";
  backlogSinceMs = 0;

  constructor(all: Connections, isSurplus: boolean) {
    this.#all = all;
    this.isSurplus = isSurplus;
  }

  /** One function for all its answers: a closure for each request would cost more. */
  readonly answered = (): void => {
    this.unanswered -= 1;
    if (this.unanswered === 0) this.answer = null;
    this.#all.openAnswers -= 1;
  };
}

/** The clients' connections: how many, how much each may ask at once, and which of them stand still. */
export class Connections {
  readonly #deps: ConnectionsDeps;
  readonly #open = new Map<Socket, Connection>();
  /** How many clients may be connected at once. */
  readonly limit = connectionLimit();
  #looker: Timer | null = null;
  #refusedSinceLog = 0;
  #loggedAtMs = -Infinity;
  /** Answers that have not left yet: a slot is free while a slow client still reads. */
  openAnswers = 0;

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Before any route is registered, because its check is put on routes as they come. */
  watch(app: RouterApp): void {
    const server: Server = app.server;
    server.maxConnections = this.limit + SURPLUS;
    server.on("connection", (socket: Socket) => this.#opened(socket));
    // First of all, so that the check below knows of the request.
    server.prependListener("request", (request, response) => this.#asked(request, response));
    server.on("drop", () => this.#refused("as many connections as it may have"));
    // Also when the process or the machine has no file descriptor left: it goes on without.
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (server.listening) this.#refused(error.code ?? error.message);
    });
    app.addHook("onRequest", this.#check);
    this.#looker = this.#deps.clock.every(LOOK_EVERY_MS, () => this.#cutStalled());
  }

  /** At the stop: what is still to be answered is the last answer of its connection. */
  sendAway(): void {
    for (const { answer } of this.#open.values()) {
      if (answer?.headersSent === false) answer.shouldKeepAlive = false;
    }
  }

  close(): void {
    this.#looker?.cancel();
  }

  #opened(socket: Socket): void {
    const isSurplus = this.#open.size >= this.limit;
    this.#open.set(socket, new Connection(this, isSurplus));
    socket.once("close", () => this.#open.delete(socket));
    if (isSurplus) this.#deps.clock.after(SURPLUS_MS, () => socket.destroySoon());
  }

  #asked({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(socket);
    if (!connection) return;
    connection.unanswered += 1;
    connection.answer = response;
    this.openAnswers += 1;
    // It closes once by itself; "once" would cost a function and a list for each request.
    response.on("close", connection.answered);
    if (connection.isSurplus || this.#deps.sendsAway()) response.shouldKeepAlive = false;
  }

  readonly #check: onRequestHookHandler = ({ raw }, reply, done) => {
    const connection = this.#open.get(raw.socket);
    if (!connection) return done();
    if (unheard.has(raw.socket)) return void reply.hijack();
    if (connection.unanswered > UNANSWERED_MAX) {
      this.#hearNoMore(raw.socket);
      reply.raw.shouldKeepAlive = false;
      return done(pipelineError());
    }
    done(connection.isSurplus && !isHealth(raw) ? this.#fullError() : undefined);
  };

  #fullError(): RouterError {
    const message =
      `the router has as many connections as it may have (${this.limit}): close idle ones, or ` +
      "raise its limit of open files";
    return new RouterError("OVERLOADED", message, { retryAfterMs: RETRY_AFTER_MS });
  }

  #refused(why: string): void {
    const { clock, log, onRefused } = this.#deps;
    onRefused();
    this.#refusedSinceLog += 1;
    if (clock.now() - this.#loggedAtMs < LOG_EVERY_MS) return;
    const fields = { refused: this.#refusedSinceLog, why, limit: this.limit };
    log.warn(fields, "connections refused");
    this.#loggedAtMs = clock.now();
    this.#refusedSinceLog = 0;
  }

  /**
   * Still read, so that the client's end is noticed and ends its requests; but parsed no more. Waiting
   * for room instead would either keep all that comes, or not notice that the client has gone.
   */
  #hearNoMore(socket: Socket): void {
    unheard.add(socket);
    socket.removeAllListeners("data");
    socket.on("data", () => {});
    // Closed while the client still sends, it would reset the connection, and with it the answers
    // that the client has not read yet.
    socket.destroySoon = () => {
      socket.end();
      const linger = this.#deps.clock.after(LINGER_MS, () => socket.destroy());
      socket.once("close", () => linger.cancel());
    };
  }

  /** A client that reads no more would otherwise keep its connection, and the answer, for ever. */
  #cutStalled(): void {
    const nowMs = this.#deps.clock.now();
    for (const [socket, connection] of this.#open) {
      const backlog = socket.writableLength === 0 ? "" : backlogOf(socket);
      if (backlog === "" || backlog !== connection.backlog) {
        connection.backlog = backlog;
        connection.backlogSinceMs = nowMs;
      } else if (nowMs - connection.backlogSinceMs >= STALLED_CLIENT_MS) socket.destroy();
    }
  }
}

/** The same twice: nothing was written and nothing was read in between. */
function backlogOf(socket: Socket): string {
  const { _handle: handle } = socket as Socket & {
    readonly _handle?: { readonly writeQueueSize: number } | null;
  };
  return `${socket.bytesWritten} ${handle?.writeQueueSize ?? 0}`;
}

/** Their last answer is settled, and what else comes is thrown away. */
const unheard = new WeakSet<Socket>();

export function isUnheard(socket: Socket): boolean {
  return unheard.has(socket);
}

function isHealth({ url = "" }: IncomingMessage): boolean {
  return url === "/health" || url.startsWith("/health/");
}

function pipelineError(): RouterError {
  const message =
    `more than ${UNANSWERED_MAX} requests wait on this connection, which ends here: wait for ` +
    "answers before you send more, or use more connections";
  return new RouterError("OVERLOADED", message, { retryAfterMs: RETRY_AFTER_MS });
}
