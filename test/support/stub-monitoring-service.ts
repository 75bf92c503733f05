import type { IncomingMessage, ServerResponse } from "node:http";
import { Arrivals } from "./arrivals.ts";
import { listenOnLoopback } from "./stub-server.ts";
import type { StubServer } from "./stub-server.ts";

/** One GPU as the service reports it; open, so that a test can report nonsense. */
export type ReportedGpu = Readonly<Record<string, unknown>>;

export interface ReportedHealth {
  readonly status: string;
  readonly errors: readonly string[];
}

export interface StubMonitoringOptions {
  /** 0 (the default) takes a free port; an earlier one lets a dead service come back. */
  readonly port?: number;
  readonly gpus?: readonly ReportedGpu[];
}

export async function startStubMonitoringService(
  options: StubMonitoringOptions = {},
): Promise<StubMonitoringService> {
  const service = new StubMonitoringService(options.gpus ?? [reportedGpu("gpu-0")]);
  await service.listen(options.port ?? 0);
  return service;
}

/** A GPU Monitoring Service that says what it is told to. */
export class StubMonitoringService {
  gpus: readonly ReportedGpu[];
  /** Sent instead of `gpus`, whatever it is. */
  rawBody: string | null = null;
  status = 200;
  /** Answers polls instead of the above. */
  onPoll: ((response: ServerResponse) => void) | null = null;
  /** By GPU id; others get 404. */
  readonly health = new Map<string, ReportedHealth>();

  #server: StubServer | null = null;
  #gate: Promise<void> = Promise.resolve();
  readonly #polls = new Arrivals<string | null>();
  readonly #healthChecks = new Arrivals<string>();

  constructor(gpus: readonly ReportedGpu[]) {
    this.gpus = gpus;
  }

  async listen(port: number): Promise<void> {
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

  /** `GET /gpus` so far. */
  get polls(): number {
    return this.#polls.all.length;
  }

  /** The bearer token of each poll; null where none was sent. */
  get tokens(): readonly (string | null)[] {
    return this.#polls.all;
  }

  /** GPU ids asked about, in order. */
  get healthChecks(): readonly string[] {
    return this.#healthChecks.all;
  }

  /** The nth call resolves when the nth poll arrives, before it is answered. */
  async nextPoll(): Promise<void> {
    await this.#polls.next();
  }

  /**
   * Resolves once `count` more polls have come. Polls do not overlap, so whatever the service said
   * before the last of them has arrived.
   */
  morePolls(count: number): Promise<void> {
    return this.#polls.seen(this.polls + count);
  }

  nextHealthCheck(): Promise<string> {
    return this.#healthChecks.next();
  }

  /** Answers nothing until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  close(): Promise<void> {
    return this.#listening().close();
  }

  #listening(): StubServer {
    if (!this.#server) throw new Error("The stub monitoring service is not listening.");
    return this.#server;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, first, gpuId, last] = (request.url ?? "").split("/");
    if (first === "gpus" && gpuId === undefined) {
      this.#polls.add(bearerToken(request));
      await this.#gate;
      if (this.onPoll) this.onPoll(response);
      else send(response, this.status, this.rawBody ?? JSON.stringify({ gpus: this.gpus }));
    } else if (first === "gpus" && gpuId !== undefined && last === "health") {
      await this.#answerHealth(response, decodeURIComponent(gpuId));
    } else {
      send(response, 404, "{}");
    }
  }

  async #answerHealth(response: ServerResponse, gpuId: string): Promise<void> {
    this.#healthChecks.add(gpuId);
    await this.#gate;
    const health = this.health.get(gpuId);
    if (health) send(response, 200, JSON.stringify({ gpu_id: gpuId, ...health }));
    else send(response, 404, "{}");
  }
}

/** A healthy, idle GPU in the contract's fields, with what a test changes. */
export function reportedGpu(id: string, changes: ReportedGpu = {}): ReportedGpu {
  const gib = 2 ** 30;
  return {
    gpu_id: id,
    name: "Stub GPU 80GB",
    status: "available",
    compute_capability: 9,
    memory_total: 80 * gib,
    memory_used: 20 * gib,
    memory_free: 60 * gib,
    utilization: 0.1,
    temperature: 45,
    power_usage: 120,
    power_limit: 700,
    performance_index: 0.9,
    error_rate: 0,
    uptime: 3600,
    processes: [],
    ...changes,
  };
}

function bearerToken(request: IncomingMessage): string | null {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? null;
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}
