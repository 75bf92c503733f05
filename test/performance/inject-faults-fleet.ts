import type { Random } from "../../src/routing/random.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import type { FaultProxy } from "../support/fault-proxy.ts";
import * as stub from "../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../support/stub-behaviours.ts";
import { startStubWorker } from "../support/stub-worker.ts";
import type { StubWorker } from "../support/stub-worker.ts";

/** Faults of a worker, met by single requests. */
const FAULTS: Readonly<Record<string, Behaviour>> = {
  "closed before headers": stub.destroyBeforeHeaders,
  "reset before headers": stub.resetBeforeHeaders,
  "closed after headers": stub.destroyAfterHeaders,
  "truncated JSON": stub.truncated,
  "broken JSON": stub.invalidJson,
  "wrong content type": stub.html,
  "broken stream": stub.destroyMidStream(2),
  "stream that stalls": stub.hangMidStream(1),
  "never answered": stub.hangBeforeHeaders,
  "slow drip": drip,
  400: stub.error(400, "n must be 1"),
  401: stub.unauthorized,
  404: stub.respond({ status: 404, body: '{"detail":"Not Found"}' }),
  429: stub.error(429, "busy", { "retry-after": "0" }),
  500: stub.error(500, "CUDA out of memory"),
  503: stub.overloaded("1"),
};

/** Faults of the way to a worker, met by all who use it until the next one. */
const TROUBLES: Readonly<Record<string, (proxy: FaultProxy, random: Random) => unknown>> = {
  "refuses connections": (proxy) => proxy.refuse(),
  "resets new connections": (proxy) => (proxy.welcome = "reset"),
  "accepts and hangs": (proxy) => (proxy.welcome = "hang"),
  "resets all connections": (proxy) => proxy.breakAll("reset"),
  "closes all connections": (proxy) => proxy.breakAll("close"),
  "half-closes all connections": (proxy) => proxy.halfClose(),
  "stands still": (proxy) => proxy.freeze(),
  "cuts an answer": (proxy, random) => proxy.cutAfter(1 + Math.floor(random.next() * 600), "reset"),
};

export interface FaultyFleetOptions {
  readonly random: Random;
  readonly workers: number;
  /** Share of requests that meet a fault of the worker, 0..1. */
  readonly faultShare: number;
  /** A worker has got the request with this number, and will not answer it. */
  readonly onHeld: (id: number) => void;
}

/** Workers that fail at random, each behind a network that does, too. */
export class FaultyFleet {
  /** How often each fault was met or each trouble begun. */
  readonly counts = new Map<string, number>();
  readonly #options: FaultyFleetOptions;
  #stubs: readonly StubWorker[] = [];
  #proxies: readonly FaultProxy[] = [];

  constructor(options: FaultyFleetOptions) {
    this.#options = options;
  }

  /** Resolves with the addresses that the router gets. */
  async start(): Promise<readonly string[]> {
    const behaviour: Behaviour = (exchange) => this.#behave(exchange);
    const { workers } = this.#options;
    this.#stubs = await Promise.all(
      Array.from({ length: workers }, () => startStubWorker({ behaviour })),
    );
    this.#proxies = await Promise.all(this.#stubs.map(({ port }) => startFaultProxy(port)));
    return this.#proxies.map(({ url }) => url);
  }

  /** Injected so far. */
  get faults(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  get openRequests(): number {
    return this.#stubs.reduce((sum, { openRequests }) => sum + openRequests, 0);
  }

  /** One worker's network gets well, or into another trouble. */
  async shake(): Promise<void> {
    const { random } = this.#options;
    const proxy = this.#proxies[Math.floor(random.next() * this.#proxies.length)]!;
    await heal(proxy);
    const names = Object.keys(TROUBLES);
    const name = names[Math.floor(random.next() * names.length * 3)];
    if (name === undefined) return;
    this.#count(`network ${name}`);
    await TROUBLES[name]!(proxy, random);
  }

  /** From now on the networks are well. */
  async heal(): Promise<void> {
    await Promise.all(this.#proxies.map(heal));
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.refuse()));
    await Promise.all(this.#stubs.map((worker) => worker.close()));
  }

  #behave(exchange: Exchange): void | Promise<void> {
    const { random, faultShare, onHeld } = this.#options;
    const { id, stream, hold } = JSON.parse(exchange.request.body) as FaultyBody;
    if (hold) return onHeld(id);
    const names = Object.keys(FAULTS);
    const name = names[Math.floor((random.next() * names.length) / faultShare)];
    if (name === undefined) return (stream ? stub.stream(4) : stub.json())(exchange);
    this.#count(name);
    return FAULTS[name]!(exchange);
  }

  #count(fault: string): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }
}

/** What of a request's body its worker reads. */
export interface FaultyBody {
  readonly id: number;
  readonly stream: boolean;
  /** To be kept without an answer: its client leaves when it has arrived. */
  readonly hold: boolean;
}

async function heal(proxy: FaultProxy): Promise<void> {
  proxy.welcome = "forward";
  proxy.thaw();
  await proxy.accept();
}

/** Few bytes at a time, from start to end: slow, and right. */
async function drip({ response }: Exchange): Promise<void> {
  const body = JSON.stringify(stub.chatCompletion());
  response.writeHead(200, { "content-type": "application/json" });
  for (let at = 0; at < body.length && !response.destroyed; at += 20) {
    response.write(body.slice(at, at + 20));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  response.end();
}
