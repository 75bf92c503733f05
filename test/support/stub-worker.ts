import type { IncomingMessage, ServerResponse } from "node:http";
import { Arrivals } from "./arrivals.ts";
import { StreamControl } from "./stream-control.ts";
import { error, json, respond } from "./stub-behaviours.ts";
import type { Behaviour, Exchange, StubRequest } from "./stub-behaviours.ts";
import { listenOnLoopback, readBody } from "./stub-server.ts";
import type { StubServer } from "./stub-server.ts";

export interface StubWorkerOptions {
  /** 0 (the default) takes a free port; an earlier one lets a dead worker come back. */
  readonly port?: number;
  readonly models?: readonly string[];
  /** For every request that has no behaviour of its own; a chat completion by default. */
  readonly behaviour?: Behaviour;
}

export async function startStubWorker(options: StubWorkerOptions = {}): Promise<StubWorker> {
  const worker = new StubWorker(options);
  await worker.listen(options.port ?? 0);
  return worker;
}

/**
 * An inference server that fails on command. POSTs are requests and follow behaviours; GETs are
 * probes and are answered from the settings below.
 */
export class StubWorker {
  /** Steps the streams made with `steppedStream()`. */
  readonly stream = new StreamControl();

  /** Of `GET /v1/models`; "starting" answers 503, "missing" 404. */
  models: readonly string[] | "starting" | "missing";
  /** Answers of other probes by path; null answers 404. */
  metricsText: string | null = null;
  ollamaTags: unknown = null;
  ollamaPs: unknown = null;
  llamaProps: unknown = null;

  #server: StubServer | null = null;
  #closing = false;
  #open = 0;
  #always: Behaviour;
  readonly #next: Behaviour[] = [];
  readonly #requests = new Arrivals<StubRequest>();
  readonly #probes = new Arrivals<StubRequest>();
  readonly #aborts = new Arrivals<StubRequest | null>();

  constructor(options: StubWorkerOptions) {
    this.models = options.models ?? ["stub-model"];
    this.#always = options.behaviour ?? json();
  }

  async listen(port: number): Promise<void> {
    this.#closing = false;
    this.#server = await listenOnLoopback(port, (request, response) => {
      void this.#handle(request, response);
    });
  }

  get url(): string {
    return this.#listening().url;
  }

  get port(): number {
    return this.#listening().port;
  }

  get openConnections(): number {
    return this.#listening().openConnections;
  }

  /** Requests that came and are neither answered nor abandoned. */
  get openRequests(): number {
    return this.#open;
  }

  /** POSTs whose body came whole, in order. */
  get requests(): readonly StubRequest[] {
    return this.#requests.all;
  }

  /** GETs, in order. */
  get probes(): readonly StubRequest[] {
    return this.#probes.all;
  }

  /** Requests whose client went away before the answer was complete. */
  get aborted(): number {
    return this.#aborts.all.length;
  }

  /** Behaviours for the next requests, one each, before the standing one applies again. */
  next(...behaviours: readonly Behaviour[]): void {
    this.#next.push(...behaviours);
  }

  always(behaviour: Behaviour): void {
    this.#always = behaviour;
  }

  /** The nth call gives the nth POST, waiting for it if need be. */
  nextRequest(): Promise<StubRequest> {
    return this.#requests.next();
  }

  /** Resolves once `count` POSTs have come since the start. */
  seen(count: number): Promise<void> {
    return this.#requests.seen(count);
  }

  nextProbe(): Promise<StubRequest> {
    return this.#probes.next();
  }

  /** Resolves with the request that was abandoned; null where its body never came whole. */
  nextAbort(): Promise<StubRequest | null> {
    return this.#aborts.next();
  }

  /** Refuses new connections, and goes on with what it has: a server that is dying. */
  stopListening(): void {
    this.#listening().stopListening();
  }

  /** Destroys every socket: what was being answered fails, and does not count as aborted. */
  close(): Promise<void> {
    this.#closing = true;
    return this.#listening().close();
  }

  #listening(): StubServer {
    if (!this.#server) throw new Error("The stub worker is not listening.");
    return this.#server;
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let request: StubRequest | null = null;
    let cutByUs = false;
    this.#open += 1;
    response.once("close", () => {
      this.#open -= 1;
      const byUs = cutByUs || this.#closing;
      if (!response.writableFinished && !byUs) this.#aborts.add(request);
    });
    const body = await readBody(incoming);
    if (body === null) return;
    const { method = "", url: path = "", headers, rawHeaders } = incoming;
    request = { method, path, headers, rawHeaders, body };
    const cut = (): void => {
      cutByUs = true;
      response.destroy();
    };
    await this.#behaviourFor(request)({ request, response, stream: this.stream, cut });
  }

  #behaviourFor(request: StubRequest): (exchange: Exchange) => void | Promise<void> {
    if (request.method === "GET") {
      this.#probes.add(request);
      return this.#probe(request.path);
    }
    const behaviour = this.#next.shift() ?? this.#always;
    this.#requests.add(request);
    return behaviour;
  }

  #probe(path: string): Behaviour {
    switch (path) {
      case "/health":
        return this.models === "starting" ? error(503, "starting") : respond({ status: 200 });
      case "/v1/models":
        return this.#modelList();
      case "/metrics":
        return optional(this.metricsText, (text) => {
          return respond({ status: 200, body: text, headers: { "content-type": "text/plain" } });
        });
      case "/api/tags":
        return optional(this.ollamaTags, json);
      case "/api/ps":
        return optional(this.ollamaPs, json);
      case "/props":
        return optional(this.llamaProps, json);
      default:
        return notFound;
    }
  }

  #modelList(): Behaviour {
    if (this.models === "missing") return notFound;
    if (this.models === "starting") return error(503, "The stub is loading its model.");
    const data = this.models.map((id) => ({ id, object: "model", owned_by: "stub" }));
    return json({ object: "list", data });
  }
}

const notFound = error(404, "Not found.");

function optional<T>(value: T | null, answer: (value: T) => Behaviour): Behaviour {
  return value === null ? notFound : answer(value);
}
