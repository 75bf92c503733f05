import { hash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { GpuReading } from "../fleet/gpu.ts";
import type { GpuSource } from "../fleet/sources/source.ts";
import type { Log } from "../log.ts";
import { errorAnswer, jsonAnswer, MonitorError, type Answer } from "./answers.ts";
import { metricsText } from "./metrics-text.ts";
import { reportedGpu, reportedHealth } from "./reported-gpu.ts";

export interface MonitorOptions {
  readonly source: GpuSource;
  /** What callers must send as Bearer; null = anyone may ask. */
  readonly token: string | null;
  readonly log: Log;
}

/** Routers and scrapers are few; the rest is a mistake or a flood. */
const MAX_CONNECTIONS = 256;

/** Serves what `source` reads, in the contract of the GPU Monitoring Service. */
export function createMonitor(options: MonitorOptions): Server {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 15_000, maxHeaderSize: 16 * 1024 },
    (request, response) => void respond(options, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

type Route = (source: GpuSource, gpuId: string) => Promise<Answer>;

const ROUTES: readonly (readonly [path: RegExp, route: Route])[] = [
  [/^\/gpus$/, listGpus],
  [/^\/gpus\/([^/]+)$/, showGpu],
  [/^\/gpus\/([^/]+)\/health$/, showHealth],
  [/^\/health$/, showOwnHealth],
  [/^\/metrics$/, showMetrics],
];

const NO_SUCH_ROUTE = "there are GET /gpus, /gpus/{id}, /gpus/{id}/health, /health and /metrics";

async function respond(
  options: MonitorOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, contentType, body, headers } = await answer(options, request).catch(
    (error: unknown) => {
      if (error instanceof MonitorError) return errorAnswer(error);
      options.log.error({ err: error }, "request failed");
      return errorAnswer(new MonitorError("INTERNAL", "a defect of the service; its log has more"));
    },
  );
  response.writeHead(status, {
    ...headers,
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}

async function answer(
  { source, token }: MonitorOptions,
  { method, url, headers }: IncomingMessage,
): Promise<Answer> {
  const { route, gpuId } = find(url ?? "");
  // Whoever watches the container has no token, and learns nothing here but whether it works.
  if (route !== showOwnHealth) checkToken(token, headers.authorization);
  if (route === null) throw new MonitorError("ROUTE_NOT_FOUND", NO_SUCH_ROUTE);
  if (method === "GET" || method === "HEAD") return route(source, gpuId);
  const message = "only GET: this service changes nothing";
  throw new MonitorError("METHOD_NOT_ALLOWED", message, { allow: "GET, HEAD" });
}

function find(url: string): { readonly route: Route | null; readonly gpuId: string } {
  const path = url.split("?", 1)[0] ?? "";
  for (const [pattern, route] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { route, gpuId: decoded(match[1] ?? "") };
  }
  return { route: null, gpuId: "" };
}

function checkToken(token: string | null, authorization = ""): void {
  if (token === null) return;
  const sent = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? "";
  // Digests have one length, which is all that the comparison could tell.
  if (timingSafeEqual(hash("sha256", sent, "buffer"), hash("sha256", token, "buffer"))) return;
  throw new MonitorError(
    "UNAUTHORIZED",
    "send Authorization: Bearer with the token of MONITOR__TOKEN (in the router: " +
      "gpu_monitoring.token_env)",
    { "www-authenticate": "Bearer" },
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A source that rejects has no telemetry now, and says why. */
async function told<T>(telemetry: Promise<T>): Promise<T> {
  try {
    return await telemetry;
  } catch (error) {
    throw new MonitorError("NO_TELEMETRY", (error as Error).message);
  }
}

async function listGpus(source: GpuSource): Promise<Answer> {
  const { gpus } = await told(source.poll());
  return jsonAnswer({ gpus: gpus.map(reportedGpu) });
}

async function showGpu(source: GpuSource, gpuId: string): Promise<Answer> {
  const { gpus } = await told(source.poll());
  const gpu = gpus.find(({ id }) => id === gpuId);
  if (gpu === undefined) throw unknownGpu(gpuId);
  return jsonAnswer(reportedGpu(gpu));
}

async function showHealth(source: GpuSource, gpuId: string): Promise<Answer> {
  const health = await told(source.health(gpuId));
  if (health === null) throw unknownGpu(gpuId);
  return jsonAnswer(reportedHealth(gpuId, health));
}

function unknownGpu(gpuId: string): MonitorError {
  return new MonitorError("GPU_NOT_FOUND", `no GPU ${gpuId} here: GET /gpus lists them`);
}

async function showOwnHealth(source: GpuSource): Promise<Answer> {
  try {
    const { gpus } = await source.poll();
    return jsonAnswer({ status: "ok", gpus: gpus.length });
  } catch (error) {
    return jsonAnswer({ status: "failing", reason: (error as Error).message }, 503);
  }
}

/** A scrape that fails looks like a service that is gone; that there is no telemetry is a value. */
async function showMetrics(source: GpuSource): Promise<Answer> {
  const gpus = await source.poll().then(
    (result) => result.gpus,
    () => null,
  );
  const measured = gpus && (await Promise.all(gpus.map((gpu) => withHealth(source, gpu))));
  return {
    status: 200,
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    body: metricsText(measured),
    headers: {},
  };
}

async function withHealth(source: GpuSource, gpu: GpuReading) {
  return { gpu, health: await source.health(gpu.id).catch(() => null) };
}
