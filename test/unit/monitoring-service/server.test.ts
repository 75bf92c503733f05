import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { GpuHealth } from "../../../src/fleet/gpu.ts";
import { readGpus } from "../../../src/fleet/sources/read-gpus.ts";
import type { Log } from "../../../src/log.ts";
import { createMonitor } from "../../../src/monitoring-service/server.ts";
import { reportedGpu } from "../../support/stub-monitoring-service.ts";

const TOKEN = "a-token-of-the-monitor";

async function start({ token = null as string | null, failure = null as Error | null } = {}) {
  const told: object[] = [];
  const keep = (fields: object): void => void told.push(fields);
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  const health: GpuHealth = { status: "warning", errors: ["hot"] };
  const source = {
    name: "spoken",
    host: "localhost",
    poll: async () => {
      if (failure) throw failure;
      const { gpus, problems } = readGpus({ gpus: [reportedGpu("GPU-1"), reportedGpu("GPU/2")] });
      const unknown = { ...gpus[1]!, processes: null };
      return { gpus: [gpus[0]!, unknown], problems };
    },
    health: async (id: string) => {
      if (failure) throw failure;
      return id === "GPU-1" ? health : null;
    },
    close: async () => {},
  };
  const server = createMonitor({ source, token, log });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
  return { ask, told };
}

test("GET /gpus has every field of the contract, unknown ones as null", async () => {
  const { ask } = await start();
  const answer = await ask("/gpus");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const { gpus } = (await answer.json()) as { gpus: readonly object[] };
  expect(gpus).toHaveLength(2);
  expect(gpus[0]).toEqual(reportedGpu("GPU-1"));
});

test("processes that could not be listed are left out, and not none", async () => {
  const { ask } = await start();
  const { processes, ...rest } = reportedGpu("GPU/2");
  expect(processes).toEqual([]);
  expect(await (await ask("/gpus/GPU%2F2")).json()).toEqual(rest);
});

test("one GPU by its id, encoded where it must be", async () => {
  const { ask } = await start();
  expect(await (await ask("/gpus/GPU-1")).json()).toEqual(reportedGpu("GPU-1"));
  expect(await (await ask("/gpus/GPU%2F2")).json()).toMatchObject({ gpu_id: "GPU/2" });
});

test("health of a GPU", async () => {
  const { ask } = await start();
  expect(await (await ask("/gpus/GPU-1/health")).json()).toEqual({
    gpu_id: "GPU-1",
    status: "warning",
    errors: ["hot"],
  });
});

const refused: readonly (readonly [method: string, path: string, status: number, code: string])[] =
  [
    ["GET", "/gpus/GPU-9", 404, "GPU_NOT_FOUND"],
    ["GET", "/gpus/GPU-9/health", 404, "GPU_NOT_FOUND"],
    ["GET", "/gpus/%E0%A4%A", 404, "GPU_NOT_FOUND"],
    ["GET", "/", 404, "ROUTE_NOT_FOUND"],
    ["GET", "/gpus/", 404, "ROUTE_NOT_FOUND"],
    ["POST", "/gpus", 405, "METHOD_NOT_ALLOWED"],
  ];

test.each(refused)("%s %s: %i %s, in the form of the router's errors", async (...row) => {
  const [method, path, status, code] = row;
  const { ask } = await start();
  const answer = await ask(path, { method });
  expect(answer.status).toBe(status);
  const { error } = (await answer.json()) as { error: Record<string, unknown> };
  expect(Object.keys(error)).toEqual(["code", "message", "type", "param", "request_id"]);
  expect(error.code).toBe(code);
  if (status === 405) expect(answer.headers.get("allow")).toBe("GET, HEAD");
});

test("without telemetry: 503 with the reason, except for the metrics", async () => {
  const { ask } = await start({ failure: new Error("nvidia-smi not found: install it") });
  const gpus = await ask("/gpus");
  expect(gpus.status).toBe(503);
  expect(await gpus.json()).toMatchObject({
    error: { code: "NO_TELEMETRY", message: "nvidia-smi not found: install it" },
  });
  expect((await ask("/gpus/GPU-1/health")).status).toBe(503);
  const health = await ask("/health");
  expect(health.status).toBe(503);
  expect(await health.json()).toEqual({
    status: "failing",
    reason: "nvidia-smi not found: install it",
  });
  const metrics = await ask("/metrics");
  expect(metrics.status).toBe(200);
  expect(await metrics.text()).toContain("gpu_monitor_up 0\n");
});

test("GET /metrics is Prometheus text with the health of each GPU", async () => {
  const { ask } = await start();
  const answer = await ask("/metrics?x=1");
  expect(answer.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  const text = await answer.text();
  expect(text).toMatch(/^gpu_health\{gpu_id="GPU-1",.*\} 1$/m);
  expect(text).not.toMatch(/^gpu_health\{gpu_id="GPU\/2"/m);
});

test("with a token, everything but /health asks for it", async () => {
  const { ask } = await start({ token: TOKEN });
  const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  for (const path of ["/gpus", "/metrics", "/gpus/GPU-1/health", "/nothing"]) {
    const answer = await ask(path);
    expect([path, answer.status]).toEqual([path, 401]);
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  }
  expect((await ask("/gpus", withToken("another-token"))).status).toBe(401);
  expect((await ask("/gpus", { headers: { authorization: TOKEN } })).status).toBe(401);
  expect((await ask("/gpus", withToken(TOKEN))).status).toBe(200);
  expect((await ask("/health")).status).toBe(200);
});
