import { describe, expect, test } from "vitest";
import { SCENE_GPUS, SCENE_KEYS, SCENE_WORKERS } from "../scene.ts";
import { expectRefusal, get, hello, isTestScene, logSinkUrl, post } from "./call.ts";

const PATIENT = { timeout: 30_000, interval: 50 };

interface Gpu {
  readonly gpu_id: string;
  readonly workers: readonly string[];
}

async function listGpus(): Promise<readonly Gpu[]> {
  return ((await (await get("/api/v1/gpus")).json()) as { readonly gpus: readonly Gpu[] }).gpus;
}

test("each GPU that is listed can be looked up, and another cannot", async () => {
  for (const { gpu_id: id } of (await listGpus()).slice(0, 4)) {
    const gpu = await get(`/api/v1/gpus/${encodeURIComponent(id)}`);
    expect(await gpu.json()).toMatchObject({ gpu_id: id });
  }
  await expectRefusal(await get("/api/v1/gpus/no-such-gpu"), 404, "GPU_NOT_FOUND");
});

test("the quota counts what was sent", async () => {
  const used = async (): Promise<number> => {
    const quota = (await (await get("/api/v1/quotas")).json()) as {
      readonly requests: { readonly used: number; readonly limit: number };
    };
    expect(quota.requests.limit).toBeGreaterThan(0);
    return quota.requests.used;
  };
  await (await post("/v1/chat/completions", hello)).text();
  expect(await used()).toBeGreaterThan(0);
});

test("metrics are counts as JSON, and Prometheus text for those who may see all", async () => {
  const counts = await get("/api/v1/metrics", { accept: "application/json" });
  expect(await counts.json()).toMatchObject({
    total_requests: expect.any(Number),
    queued_requests: expect.any(Number),
  });
  const text = await get("/api/v1/metrics", { accept: "text/plain" });
  if (text.status === 403) await expectRefusal(text, 403, "FORBIDDEN");
  else expect(await text.text()).toMatch(/^router_attempts_total\{/m);
});

describe.runIf(isTestScene)("the test scene", () => {
  test("shows all its GPUs, each with its worker", async () => {
    const workers = async () => (await listGpus()).map(({ gpu_id, workers: on }) => [gpu_id, on]);
    const expected = SCENE_GPUS.map((id, index) => [id, [SCENE_WORKERS[index]]]);
    await expect.poll(workers, PATIENT).toEqual(expected);
  });

  test("shows Prometheus text to its admin, and to nobody less", async () => {
    const text = { accept: "text/plain" };
    expect((await get("/api/v1/metrics", text)).status).toBe(200);
    const visitor = { ...text, authorization: `Bearer ${SCENE_KEYS.visitor}` };
    await expectRefusal(await get("/api/v1/metrics", visitor), 403, "FORBIDDEN");
  });

  test("spreads chats that run at the same time over its workers", async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => post("/v1/chat/completions", hello)),
    );
    const workers = new Set(answers.map(({ headers }) => headers.get("x-worker-id")));
    expect(workers).toEqual(new Set(SCENE_WORKERS));
  });
});

describe.runIf(logSinkUrl !== null)("the Logging Service", () => {
  test("gets the line of a request", async () => {
    const answer = await post("/v1/chat/completions", hello);
    const ids = async () => (await (await fetch(`${logSinkUrl}/request-ids`)).json()) as string[];
    await expect.poll(ids, PATIENT).toContain(answer.headers.get("x-request-id"));
  });
});
