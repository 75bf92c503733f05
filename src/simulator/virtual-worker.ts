import type { Clock } from "../clock.ts";
import type { Upstream, UpstreamRequest } from "../dispatch/attempt.ts";
import type { Relay } from "../dispatch/relay.ts";
import { WorkerUnreachable, type Answer } from "../fleet/engines/engine.ts";
import type { Dice } from "./dice.ts";
import { Exchange } from "./exchange.ts";
import { scriptFor } from "./manners.ts";
import { moodAt, type WorkerMood, type WorkerPlan } from "./scene.ts";

/** How a worker sees one request, and who wants to know of it. */
export interface Arrival {
  readonly worker: VirtualWorker;
  readonly exchange: Exchange;
  readonly relay: Relay;
}

export interface VirtualWorkerDeps {
  readonly clock: Clock;
  readonly dice: Dice;
  /** When the scene began, by that clock. */
  readonly startedAtMs: number;
  /** Whether this request breaks every worker that runs it. */
  readonly isPoison: (requestId: string) => boolean;
  /** Told when the router opens an exchange, before anything of it has happened. */
  readonly onDispatch: (requestId: string, arrival: Arrival) => void;
  /** Told which requests were on the connections that the router closes, all at once. */
  readonly onDestroy: (requestIds: readonly string[]) => void;
}

/** A health question on a connection that is not answered. */
const ASK_TIMEOUT_MS = 2000;
/** By so much of an answer's own time it takes longer for each other one at the same time. */
const CROWDING = 0.1;

/** One inference server: its plan says how it is at each time. */
export class VirtualWorker {
  readonly plan: WorkerPlan;
  readonly #deps: VirtualWorkerDeps;
  readonly #open = new Set<Exchange>();
  /** Attempts that the router began, for figures. */
  attempts = 0;
  #mostOpen = 0;

  constructor(plan: WorkerPlan, deps: VirtualWorkerDeps) {
    this.plan = plan;
    this.#deps = deps;
    for (const { fromMs, mood } of plan.phases) {
      if (mood === "refuses") deps.clock.after(fromMs, () => this.#die());
    }
  }

  get mood(): WorkerMood {
    return moodAt(this.plan.phases, this.#deps.clock.now() - this.#deps.startedAtMs);
  }

  get open(): Iterable<Exchange> {
    return this.#open;
  }

  /** The most at one time since this was last read. */
  takeMostOpen(): number {
    const most = this.#mostOpen;
    this.#mostOpen = this.#open.size;
    return most;
  }

  /** A pool of connections as the router keeps one: closing it leaves those of others alone. */
  connect(): Upstream {
    const pool = new Set<Exchange>();
    return {
      dispatch: (request, relay) => {
        for (const exchange of pool) if (!this.#open.has(exchange)) pool.delete(exchange);
        pool.add(this.#serve(request, relay));
      },
      isReused: () => this.#deps.dice.chance(0.5),
      destroy: () => {
        const running = [...pool].filter((exchange) => this.#open.has(exchange));
        // One whose connection is still being made when it is given up has nothing to lose.
        const sent = running.filter(({ isSent }) => isSent);
        this.#deps.onDestroy(sent.map(({ requestId }) => requestId));
        for (const exchange of running) exchange.reset("ECONNRESET");
        return Promise.resolve();
      },
    };
  }

  /** What engines are asked by the poller. Rejects as asking over HTTP does. */
  async ask(path: string): Promise<Answer> {
    const { mood } = this;
    const { clock, dice } = this.#deps;
    const answersAfterMs = ASK_DELAYS_MS[mood] ?? dice.between(1, 20);
    await new Promise<void>((resolve) => clock.after(answersAfterMs, resolve));
    if (mood === "refuses") throw new WorkerUnreachable("connection refused");
    if (answersAfterMs === ASK_TIMEOUT_MS) throw new Error("no complete answer within 2000 ms");
    if (mood === "booting") return { status: 503, text: '{"error":{"message":"loading"}}' };
    if (mood === "mixed" && dice.chance(0.1)) return { status: 200, text: "<html>" };
    return { status: 200, text: this.#textOf(path) };
  }

  #serve(request: UpstreamRequest, relay: Relay): Exchange {
    const { clock, dice, isPoison, onDispatch } = this.#deps;
    const { requestId, stream } = readHeaders(request.headers);
    this.attempts += 1;
    const answerMs = this.plan.answerMs * dice.between(0.5, 1.5) * (1 + CROWDING * this.#open.size);
    const mark = `${requestId} ${this.plan.spec.id} ${this.attempts}`;
    const { mood } = this;
    const poisoned = isPoison(requestId) && (mood === "well" || mood === "mixed");
    const ask = { mark, model: this.plan.models[0] ?? "", stream, answerMs };
    const script = scriptFor(poisoned ? "fails" : mood, ask, dice);
    const onOver = (over: Exchange): void => void this.#open.delete(over);
    const exchange = new Exchange({ requestId, clock, relay, script, onOver });
    this.#open.add(exchange);
    this.#mostOpen = Math.max(this.#mostOpen, this.#open.size);
    onDispatch(requestId, { worker: this, exchange, relay });
    return exchange;
  }

  /** The process is gone, and with it all of its connections. */
  #die(): void {
    for (const exchange of [...this.#open]) exchange.reset("ECONNRESET");
  }

  #textOf(path: string): string {
    const { models } = this.plan;
    if (path === "/v1/models") return JSON.stringify({ data: models.map((id) => ({ id })) });
    if (path.startsWith("/api/")) {
      return JSON.stringify({ models: models.map((name) => ({ name })) });
    }
    return `vllm:num_requests_running ${this.#open.size}\nvllm:num_requests_waiting 0\n`;
  }
}

const ASK_DELAYS_MS: Readonly<Partial<Record<WorkerMood, number>>> = {
  refuses: 0.5,
  unroutable: ASK_TIMEOUT_MS,
  hangs: ASK_TIMEOUT_MS,
  slow: 1500,
};

function readHeaders(headers: readonly string[]): { requestId: string; stream: boolean } {
  const valueOf = (name: string): string => headers[headers.indexOf(name) + 1] ?? "";
  return { requestId: valueOf("x-request-id"), stream: valueOf("accept") === "text/event-stream" };
}
