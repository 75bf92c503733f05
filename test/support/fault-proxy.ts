import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** How a connection is broken off: in order, or by a TCP reset. */
type Ending = "close" | "reset";

/** What happens to new connections; those that are open stay as they are. */
type Welcome = "forward" | "hang" | "reset";

/** One client's connection and ours to the worker. */
interface Link {
  readonly client: Socket;
  /** null: the welcome was "hang". */
  readonly worker: Socket | null;
  /** Bytes for each side that were not let through yet. */
  readonly forClient: Buffer[];
  readonly forWorker: Buffer[];
  /** The worker has ended, and its end is still to be passed on. */
  workerEnded: boolean;
}

interface Cut {
  bytesLeft: number;
  readonly ending: Ending;
}

export async function startFaultProxy(workerPort: number): Promise<FaultProxy> {
  const proxy = new FaultProxy(workerPort);
  await proxy.listen(0);
  return proxy;
}

/**
 * A bad network before a worker: passes TCP on, and breaks it on command. It has no timers; each step
 * is the test's.
 */
export class FaultProxy {
  welcome: Welcome = "forward";
  /** Connections that came so far, whatever became of them. */
  connections = 0;
  readonly #workerPort: number;
  readonly #links = new Set<Link>();
  #server: Server | null = null;
  #port = 0;
  #frozen = false;
  /** Bytes of answers that may still pass. */
  #allowed = Infinity;
  #cut: Cut | null = null;

  constructor(workerPort: number) {
    this.#workerPort = workerPort;
  }

  /** 0 takes a free port. */
  listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#open(client));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", () => {
        this.#port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get openConnections(): number {
    return this.#links.size;
  }

  /** New connections are refused, and those that are open end, as when a process dies. */
  async refuse(ending: Ending = "reset"): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.breakAll(ending);
    await closed;
  }

  /** After `refuse`: the same address answers again. */
  async accept(): Promise<void> {
    if (!this.#server) await this.listen(this.#port);
  }

  breakAll(ending: Ending): void {
    for (const link of this.#links) this.#break(link, ending);
  }

  /** Says that nothing more will come, and goes on reading: FIN towards the router. */
  halfClose(): void {
    for (const { client } of this.#links) client.end();
  }

  /** No byte passes in either direction; connections are still accepted, as a stopped process does. */
  freeze(): void {
    this.#frozen = true;
  }

  /** What was kept back passes, from `freeze` and `hold` alike. */
  thaw(): void {
    this.#frozen = false;
    this.letPass(Infinity);
  }

  /** Requests pass, answers are kept back until `letPass` or `thaw`. */
  hold(): void {
    this.#allowed = 0;
  }

  /** So many more bytes of answers, over all connections: the drip of a slow one. */
  letPass(bytes: number): void {
    this.#allowed += bytes;
    for (const link of this.#links) this.#pump(link);
  }

  /** One byte of answers at a time, each after `pace`, until this has happened. */
  async dripUntil<T>(happened: Promise<T>, pace: () => Promise<unknown>): Promise<T> {
    const state = { isOver: false };
    const over = happened.finally(() => (state.isOver = true));
    while (!state.isOver) {
      this.letPass(1);
      await pace();
    }
    return over;
  }

  /** The connection that carries the nth byte of answers from now on ends right after it. */
  cutAfter(bytes: number, ending: Ending): void {
    this.#cut = { bytesLeft: bytes, ending };
  }

  get port(): number {
    return this.#port;
  }

  #open(client: Socket): void {
    this.connections += 1;
    // A reset by the other side is what this is for.
    client.on("error", () => {});
    if (this.welcome === "reset") {
      client.resetAndDestroy();
      return;
    }
    const worker = this.welcome === "hang" ? null : connect(this.#workerPort, "127.0.0.1");
    const link: Link = { client, worker, forClient: [], forWorker: [], workerEnded: false };
    this.#links.add(link);
    client.on("data", (chunk: Buffer) => {
      link.forWorker.push(chunk);
      this.#pump(link);
    });
    client.on("end", () => this.#break(link, "close"));
    client.on("close", () => this.#break(link, "close"));
    worker?.on("error", () => {});
    worker?.on("data", (chunk: Buffer) => {
      link.forClient.push(chunk);
      this.#pump(link);
    });
    worker?.on("close", () => {
      link.workerEnded = true;
      this.#pump(link);
    });
  }

  #pump(link: Link): void {
    if (this.#frozen || !this.#links.has(link)) return;
    for (const chunk of link.forWorker.splice(0)) link.worker?.write(chunk);
    while (link.forClient.length > 0 && this.#allowed > 0) {
      if (this.#passSome(link, link.forClient.shift()!)) return;
    }
    if (link.workerEnded && link.forClient.length === 0) link.client.end();
  }

  /** As much of it as may pass; true: the connection ends with it. */
  #passSome({ client, worker, forClient }: Link, chunk: Buffer): boolean {
    const cut = this.#cut;
    const bytes = Math.min(chunk.length, this.#allowed, cut?.bytesLeft ?? Infinity);
    const rest = chunk.subarray(bytes);
    if (rest.length > 0) forClient.unshift(rest);
    this.#allowed -= bytes;
    if (cut) cut.bytesLeft -= bytes;
    const isCut = cut?.bytesLeft === 0;
    client.write(chunk.subarray(0, bytes), () => {
      // Now, not earlier: a reset would swallow bytes that have not left.
      if (isCut) end(client, cut.ending);
    });
    if (!isCut) return false;
    this.#cut = null;
    worker?.destroy();
    return true;
  }

  #break(link: Link, ending: Ending): void {
    if (!this.#links.delete(link)) return;
    link.worker?.destroy();
    end(link.client, ending);
  }
}

function end(socket: Socket, ending: Ending): void {
  if (ending === "reset") socket.resetAndDestroy();
  else socket.destroy();
}
