import { delimiter } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { FakeNvidiaSmi, fakeGpu } from "../../support/fake-nvidia-smi.ts";
import { as } from "../../support/job-api.ts";
import { CHAT } from "../../support/live-request.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { assertQuiet, SOON, startTestRouter } from "../../support/test-router.ts";

/** A router that reads its own machine's GPUs, before a worker on loopback; programs are in `path`. */
async function open(path: string) {
  vi.stubEnv("PATH", path);
  const stub = await startStubWorker();
  const router = await startTestRouter({
    workers: [{ url: stub.url, gpus: "auto" }],
    config: { gpu_monitoring: { source: "nvidia-smi", update_interval: 0.05 } },
  });
  onTestFinished(async () => {
    await assertQuiet(router, [stub]);
    await router.close();
    await stub.close();
    vi.unstubAllEnvs();
  });
  const json = async (route: string) => {
    return (await router.get(route, as(router.keys.operator))).json();
  };
  return { router, stub, health: () => json("/health"), gpus: () => json("/api/v1/gpus") };
}

test("without nvidia-smi it starts, says once what to install, and routes on its own counts", async () => {
  const { router, health, gpus } = await open("/nowhere");
  await expect.poll(health, SOON).toMatchObject({
    status: "degraded",
    reasons: [expect.stringMatching(/^nvidia-smi fails: /)],
    monitors: [{ name: "nvidia-smi", status: "failing", age_ms: null }],
  });
  for (let sent = 0; sent < 3; sent++) {
    const answer = await router.post("/v1/chat/completions", CHAT);
    expect([answer.status, answer.headers.get("x-gpu-id")]).toEqual([200, "worker-1"]);
    await answer.text();
  }
  expect(await gpus()).toMatchObject({ gpus: [] });
  const failing = router.logs.filter(({ message }) => message === "gpu source failing");
  expect(failing).toMatchObject([
    {
      level: "warn",
      fields: {
        source: "nvidia-smi",
        reason: expect.stringMatching(/^nvidia-smi not found: install the NVIDIA driver/) as string,
      },
    },
  ]);
});

test("a worker on loopback with gpus: auto runs on what nvidia-smi lists", async () => {
  const smi = new FakeNvidiaSmi({
    gpus: [fakeGpu("GPU-1", 0), fakeGpu("GPU-2", 1, { "temperature.gpu": "63" })],
  });
  onTestFinished(() => smi.remove());
  const path = [smi.folder, process.env["PATH"]].join(delimiter);
  const { router, gpus, health } = await open(path);
  await expect.poll(gpus, SOON).toMatchObject({
    gpus: [
      { gpu_id: "GPU-1", source: "nvidia-smi", workers: ["worker-1"] },
      { gpu_id: "GPU-2", source: "nvidia-smi", workers: ["worker-1"], temperature: 63 },
    ],
  });
  expect(await health()).toMatchObject({
    status: "healthy",
    monitors: [{ name: "nvidia-smi", status: "ok" }],
  });
  const answer = await router.post("/v1/chat/completions", CHAT);
  expect(answer.headers.get("x-gpu-id")).toBe("GPU-1");
  await answer.text();
});
