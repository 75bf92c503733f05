import type { IncomingMessage, ServerResponse } from "node:http";
import { listenOnLoopback, sendJson } from "./loopback-server.ts";
import type { LoopbackServer } from "./loopback-server.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";

const HEALTH_PATH = /^\/gpus\/([^/]+)\/health$/;

/** A GPU Monitoring Service for the simulated GPUs: `GET /gpus` and `GET /gpus/{id}/health`. */
export function startDemoMonitor(gpus: readonly SimulatedGpu[]): Promise<LoopbackServer> {
  return listenOnLoopback((request, response) => answer(gpus, request, response));
}

function answer(
  gpus: readonly SimulatedGpu[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = request.url ?? "";
  if (request.method === "GET" && path === "/gpus") {
    sendJson(response, 200, { gpus: gpus.map((gpu) => gpu.telemetry()) });
    return;
  }
  const gpuId = HEALTH_PATH.exec(path)?.[1];
  const gpu = gpus.find((candidate) => candidate.id === gpuId);
  if (request.method === "GET" && gpu) sendJson(response, 200, gpu.health());
  else sendJson(response, 404, { error: "Try GET /gpus or GET /gpus/{id}/health." });
}
