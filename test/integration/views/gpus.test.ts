import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as } from "../../support/job-api.ts";
import { CHAT, sendLive } from "../../support/live-request.ts";
import { destroyBeforeHeaders, hangBeforeHeaders } from "../../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import type { StubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A generous cap on what takes milliseconds. */
const SOON = { timeout: 10_000, interval: 5 };

let monitor: StubMonitoringService;
let stub: StubWorker;
let bare: StubWorker;
let router: TestRouter;

beforeEach(async () => {
  const processes = [{ pid: 7, name: "vllm", memory_used: 1024 }];
  monitor = await startStubMonitoringService({
    gpus: [reportedGpu("GPU-1", { processes }), reportedGpu("GPU-2", { temperature: null })],
  });
  monitor.health.set("GPU-1", { status: "warning", errors: ["XID 63"] });
  [stub, bare] = await Promise.all([startStubWorker(), startStubWorker({ models: ["other"] })]);
  router = await startTestRouter({
    workers: [
      { url: stub.url, engine: "vllm", gpus: ["GPU-1", "GPU-2"], slots: 8 },
      { url: bare.url },
    ],
    config: { gpu_monitoring: { url: monitor.url, update_interval: 0.5 } },
  });
  await expect.poll(async () => (await read("/health"))["status"], SOON).toBe("healthy");
});

afterEach(async () => {
  await router.close();
  await Promise.all([monitor, stub, bare].map((server) => server.close()));
});

async function read(path: string, key = router.keys.user): Promise<Fields> {
  const answer = await router.get(path, as(key));
  expect(answer.status).toBe(200);
  return (await answer.json()) as Fields;
}

/** Where no worker is usable, a request waits until its deadline. */
const BRIEF = { "x-timeout-ms": "300" };

const listOf = async (field: "gpus" | "workers", key?: string): Promise<readonly Fields[]> =>
  (await read("/api/v1/gpus", key))[field] as readonly Fields[];

describe("GET /api/v1/gpus", () => {
  test("lists GPUs with the monitor's fields and what the router knows beside them", async () => {
    await expect.poll(async () => (await listOf("gpus"))[0]?.["health"], SOON).not.toBeNull();
    const [gpu, other] = await listOf("gpus");
    const { processes, ...reported } = reportedGpu("GPU-1");
    expect(processes).toEqual([]);
    expect(gpu).toEqual({
      ...reported,
      too_hot: false,
      health: { status: "warning", errors: ["XID 63"] },
      active_requests: 0,
      queued_requests: 0,
      cooldown: null,
      maintenance: null,
      workers: ["worker-1"],
      source: null,
      age_ms: expect.any(Number) as number,
    });
    expect(other).toMatchObject({ gpu_id: "GPU-2", temperature: null, health: null });
  });

  test("lists workers, those on no known GPU as well", async () => {
    const [one, two] = await listOf("workers");
    expect(one).toEqual({
      worker_id: "worker-1",
      engine: "vllm",
      url: null,
      state: "up",
      state_reason: null,
      models: ["stub-model"],
      types: ["inference"],
      gpu_ids: ["GPU-1", "GPU-2"],
      slots: 8,
      active_requests: 0,
      error_rate: 0,
      cooldown: null,
      maintenance: null,
    });
    expect(two).toMatchObject({ worker_id: "worker-2", engine: "openai", gpu_ids: [], slots: 32 });
  });

  test("shows addresses of workers and monitors to operators and admins alone", async () => {
    for (const role of ["operator", "admin"] as const) {
      expect((await listOf("workers", router.keys[role]))[0]).toMatchObject({ url: stub.url });
      const source = new URL(monitor.url).host;
      expect((await listOf("gpus", router.keys[role]))[0]).toMatchObject({ source });
    }
    for (const role of ["user", "service"] as const) {
      const text = JSON.stringify(await read("/api/v1/gpus", router.keys[role]));
      expect(text).not.toContain("127.0.0.1");
    }
  });

  test("keeps the address of a dead worker from users, also in its reason", async () => {
    await stub.close();
    const failed = await (await router.post("/v1/chat/completions", CHAT, BRIEF)).text();
    expect(failed).toMatch(/NO_GPU_AVAILABLE.*connection refused/);
    expect(failed).not.toContain("127.0.0.1");
    await expect.poll(async () => (await listOf("workers"))[0]?.["state"], SOON).toBe("down");
    const [worker] = await listOf("workers");
    expect(worker?.["state_reason"]).toMatch(/connection refused/);
    expect(JSON.stringify(worker)).not.toContain("127.0.0.1");
    const refused = await (await router.post("/v1/chat/completions", CHAT, BRIEF)).text();
    expect(refused).toContain("NO_GPU_AVAILABLE");
    expect(refused).not.toContain("127.0.0.1");
    await stub.listen(0);
  });

  test("counts requests on every GPU of their worker, and tells of a cooldown", async () => {
    stub.next(hangBeforeHeaders);
    const running = sendLive(router);
    await stub.seen(1);
    expect((await listOf("gpus")).map((gpu) => gpu["active_requests"])).toEqual([1, 1]);
    expect((await listOf("workers")).map((worker) => worker["active_requests"])).toEqual([1, 0]);
    running.abort();
    await stub.nextAbort();

    stub.always(destroyBeforeHeaders);
    await router.post("/v1/chat/completions", CHAT, BRIEF);
    await router.post("/v1/chat/completions", CHAT, BRIEF);
    const [gpu] = await listOf("gpus");
    const until = expect.stringMatching(/^\d{4}-.*Z$/) as string;
    const reason = expect.stringMatching(/connection closed/) as string;
    const state = "cooling";
    expect(gpu?.["cooldown"]).toEqual({ state, reason, until });
    const [worker, spared] = await listOf("workers");
    expect(worker?.["cooldown"]).toEqual({ state, reason, until });
    expect(worker?.["error_rate"]).toBeGreaterThan(0);
    expect(spared).toMatchObject({ cooldown: null, error_rate: 0 });
  });
});

describe("GET /api/v1/gpus/{gpu_id}", () => {
  test("shows what runs there, and other users' requests without their ids", async () => {
    stub.always(hangBeforeHeaders);
    const mine = sendLive(router, { headers: { "x-request-id": "mine" } });
    await stub.seen(1);
    const headers = { ...as(router.keys.service), "x-user-id": "ann", "x-request-id": "anns" };
    const anns = sendLive(router, { headers });
    await stub.seen(2);

    const running = { worker_id: "worker-1", running_ms: expect.any(Number) as number };
    const own = { ...running, request_id: "mine", user_id: "user" };
    const hidden = { ...running, request_id: null, user_id: null };
    const named = { ...running, request_id: "anns", user_id: "ann" };
    const seen = (role: "user" | "service" | "operator") =>
      read("/api/v1/gpus/GPU-2", router.keys[role]);
    expect(await seen("user")).toMatchObject({ active_requests: [own, hidden], processes: null });
    expect(await seen("service")).toMatchObject({ active_requests: [hidden, hidden] });
    expect(await seen("operator")).toMatchObject({ active_requests: [own, named], processes: [] });

    mine.abort();
    anns.abort();
    await stub.nextAbort();
    await stub.nextAbort();
  });

  test("shows the GPU's processes to operators", async () => {
    const { processes } = await read("/api/v1/gpus/GPU-1", router.keys.operator);
    expect(processes).toEqual([{ pid: 7, name: "vllm", memory_used: 1024 }]);
  });

  test("finds an id with slashes, as slices of a GPU may have", async () => {
    monitor.gpus = [reportedGpu("MIG-GPU-1/2/0")];
    const path = `/api/v1/gpus/${encodeURIComponent("MIG-GPU-1/2/0")}`;
    const status = async (): Promise<number> => (await router.get(path)).status;
    await expect.poll(status, SOON).toBe(200);
  });

  test("of a GPU that nobody reports is 404", async () => {
    await expectTrouble(await router.get("/api/v1/gpus/GPU-9"), {
      code: "GPU_NOT_FOUND",
      says: /^no such GPU: GET \/api\/v1\/gpus lists those that are known$/,
      param: "gpu_id",
    });
  });
});
