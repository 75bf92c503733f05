import type { ServerResponse } from "node:http";
import { expect, onTestFinished } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import {
  reportedGpu,
  startStubMonitoringService,
  type ReportedGpu,
  type StubMonitoringService,
} from "../../support/stub-monitoring-service.ts";
import { startStubWorker, type StubWorker } from "../../support/stub-worker.ts";
import {
  assertQuiet,
  startTestRouter,
  type TestRouter,
  type TestRouterOptions,
} from "../../support/test-router.ts";

/** Fast rounds: what takes 5 s by default takes 50 ms here. */
export const UPDATE_INTERVAL_S = 0.05;
/** Of what takes milliseconds; generous, because the machine may be busy. */
export const SOON = { timeout: 10_000, interval: 5 };

export interface MonitoredOptions {
  /** Of worker-1, worker-2, …: the GPUs that the config names. */
  readonly gpus: readonly (readonly string[] | "auto")[];
  /** What the monitor reports at first; a healthy one each for the GPUs named if left out. */
  readonly reported?: readonly ReportedGpu[];
  readonly config?: TestRouterOptions["config"];
}

export interface Monitored {
  readonly router: TestRouter;
  readonly monitor: StubMonitoringService;
  /** worker-1, worker-2, … */
  readonly stubs: readonly StubWorker[];
  /** Of /health, with the status code. */
  readonly health: () => Promise<Readonly<Record<string, unknown>>>;
  /** The worker that answered a chat; the status where none did. */
  readonly chat: () => Promise<string>;
  /** Of so many chats, one after the other: the workers that answered. */
  readonly chatters: (count: number) => Promise<Set<string>>;
}

/** A router before stub workers and a stub monitor, all of them known. Nothing may be left behind. */
export async function openMonitored(options: MonitoredOptions): Promise<Monitored> {
  const names = new Set(options.gpus.flatMap((gpus) => (gpus === "auto" ? [] : gpus)));
  const reported = options.reported ?? [...names].map((id) => reportedGpu(id));
  const monitor = await startStubMonitoringService({ gpus: reported });
  const stubs = await Promise.all(options.gpus.map(() => startStubWorker()));
  const config = options.config ?? {};
  const router = await startTestRouter({
    workers: stubs.map(({ url }, index) => {
      const gpus = options.gpus[index] ?? [];
      return { url, gpus: gpus === "auto" ? "auto" : [...gpus] };
    }),
    config: {
      ...config,
      gpu_monitoring: {
        url: monitor.url,
        update_interval: UPDATE_INTERVAL_S,
        health_check_interval: UPDATE_INTERVAL_S,
        ...config.gpu_monitoring,
      },
      error_handler: { retry_delay: 0.01, ...config.error_handler },
    },
  });
  onTestFinished(async () => {
    try {
      await assertQuiet(router, stubs);
    } finally {
      await router.close();
      await Promise.all([monitor.close(), ...stubs.map((stub) => stub.close())]);
    }
  });
  const scene = { router, monitor, stubs, ...asksOf(router) };
  const all = { workers: { up: stubs.length }, gpus: reported.length };
  await expect.poll(scene.health, SOON).toMatchObject(all);
  return scene;
}

function asksOf(router: TestRouter): Pick<Monitored, "health" | "chat" | "chatters"> {
  async function chat(): Promise<string> {
    const answer = await router.post("/v1/chat/completions", CHAT, { "x-timeout-ms": "5000" });
    await answer.text();
    return answer.headers.get("x-worker-id") ?? String(answer.status);
  }
  return {
    chat,
    async health() {
      const answer = await router.get("/health");
      return { code: answer.status, ...((await answer.json()) as object) };
    },
    async chatters(count) {
      const seen = new Set<string>();
      for (let sent = 0; sent < count; sent++) seen.add(await chat());
      return seen;
    },
  };
}

/** What GET /api/v1/gpus says of one GPU. */
export async function gpuSeen(
  router: TestRouter,
  id: string,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await router.get(`/api/v1/gpus/${encodeURIComponent(id)}`);
  return (await answer.json()) as Readonly<Record<string, unknown>>;
}

export function answerJson(response: ServerResponse, body: unknown): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(200, { "content-type": "application/json" }).end(text);
}

/** How often each of these messages was logged. */
export function logged(router: TestRouter, ...messages: readonly string[]): readonly number[] {
  return messages.map((text) => router.logs.filter(({ message }) => message === text).length);
}
