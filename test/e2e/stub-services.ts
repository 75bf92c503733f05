import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json, stream } from "../support/stub-behaviours.ts";
import { StreamControl } from "../support/stream-control.ts";
import { reportedGpu } from "../support/stub-monitoring-service.ts";
import { readBody } from "../support/stub-server.ts";
import { QUICK_MODEL, SCENE_GPUS, STUCK_MODEL } from "./scene.ts";

/** What stands around the router in docker-compose.test.yml. None keeps what it was sent. */
export const STUB_SERVICES = {
  worker: answerAsWorker,
  monitor: answerAsMonitor,
  "log-sink": createLogSink(),
} as const satisfies Readonly<Record<string, RequestListener>>;

export type StubService = keyof typeof STUB_SERVICES;

export interface ServedStub {
  readonly url: string;
  close(): void;
}

/** `host` 0.0.0.0 is for containers, whose network is their own; `port` 0 takes a free one. */
export async function serveStub(
  service: StubService,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<ServedStub> {
  const server = createServer({ keepAliveTimeout: 60_000 }, STUB_SERVICES[service]);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A worker that answers at once, or never, as the model says. */
function answerAsWorker(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== "POST") {
    const data = [QUICK_MODEL, STUCK_MODEL].map((id) => ({ id, object: "model" }));
    sendJson(response, { object: "list", data });
    return;
  }
  void answerCompletion(request, response);
}

async function answerCompletion(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  if (body === null) return;
  const asked = JSON.parse(body) as { readonly model?: string; readonly stream?: boolean };
  if (asked.model === STUCK_MODEL) return;
  const { method = "", url: path = "", headers, rawHeaders } = request;
  const behaviour = asked.stream === true ? stream() : json();
  await behaviour({
    request: { method, path, headers, rawHeaders, body },
    response,
    stream: new StreamControl(),
    cut: () => response.destroy(),
  });
}

function answerAsMonitor(request: IncomingMessage, response: ServerResponse): void {
  const healthOf = /^\/gpus\/([^/]+)\/health$/.exec(request.url ?? "")?.[1];
  if (request.url === "/gpus") {
    sendJson(response, { gpus: SCENE_GPUS.map((id) => reportedGpu(id)) });
  } else if (healthOf !== undefined) {
    sendJson(response, { gpu_id: healthOf, status: "healthy", errors: [] });
  } else sendJson(response, { status: "ok" });
}

/** Takes `POST /logs`; `GET /request-ids` tells of which requests lines came, the last thousand. */
function createLogSink(): RequestListener {
  const requestIds: string[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const lines = JSON.parse(body ?? "[]") as readonly { readonly requestId?: string }[];
    requestIds.push(...lines.flatMap(({ requestId }) => requestId ?? []));
    requestIds.splice(0, requestIds.length - 1000);
    sendJson(response, {});
  };
  return (request, response) => {
    if (request.method === "POST") void take(request, response);
    else sendJson(response, requestIds);
  };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}
