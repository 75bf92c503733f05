import { delimiter } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { FakeNvidiaSmi, fakeGpu } from "../../support/fake-nvidia-smi.ts";
import { as } from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import { StubDcgmExporter } from "../../support/stub-dcgm-exporter.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { SOON, type TestRouter } from "../../support/test-router.ts";
import { Reloader } from "./reload-setup.ts";

async function gpusSeen(router: TestRouter): Promise<readonly (readonly [string, string])[]> {
  const answer = await router.get("/api/v1/gpus", as(router.keys.operator));
  const { gpus } = (await answer.json()) as {
    readonly gpus: readonly { readonly gpu_id: string; readonly source: string }[];
  };
  return gpus.map(({ gpu_id: id, source }) => [id, source]);
}

/** One of each kind, with a GPU of its own. */
async function startSources() {
  const service = await startStubMonitoringService({ gpus: [reportedGpu("GPU-service")] });
  const exporter = await new StubDcgmExporter().listen();
  exporter.report(["GPU-dcgm"]);
  const smi = new FakeNvidiaSmi({ gpus: [fakeGpu("GPU-smi", 0)] });
  vi.stubEnv("PATH", [smi.folder, process.env["PATH"]].join(delimiter));
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await service.close();
    await exporter.close();
    smi.remove();
  });
  return { service, exporter };
}

test("another source brings its GPUs in the place of those of the one before", async () => {
  const { service, exporter } = await startSources();
  const interval = { update_interval: 0.02 };
  const config = { gpu_monitoring: { url: service.url, ...interval } };
  const { router } = await openScene({ worker: { gpus: "auto" }, config });
  const edit = new Reloader(router);
  const seen = () => gpusSeen(router);
  await expect.poll(seen, SOON).toEqual([["GPU-service", new URL(service.url).host]]);

  edit.apply({ gpu_monitoring: { source: "dcgm", url: exporter.url } });
  await expect.poll(seen, SOON).toEqual([["GPU-dcgm", new URL(exporter.url).host]]);
  const { polls } = service;
  const asked = exporter.asked.length;
  await expect.poll(() => exporter.asked.length, SOON).toBeGreaterThan(asked + 2);
  expect(service.polls).toBe(polls);

  edit.apply({ gpu_monitoring: { source: "nvidia-smi", url: null } });
  await expect.poll(seen, SOON).toEqual([["GPU-smi", "nvidia-smi"]]);
  const answer = await router.get("/health");
  expect(await answer.json()).toMatchObject({ status: "healthy", gpus: 1 });

  edit.apply({ gpu_monitoring: { source: "service", url: service.url } });
  await expect.poll(seen, SOON).toEqual([["GPU-service", new URL(service.url).host]]);
  const { message, level } = router.logs.findLast((line) => line.message === "config reloaded")!;
  expect([message, level]).toEqual(["config reloaded", "info"]);
});

test("the same address as a source of another kind is asked anew, and told from its answer", async () => {
  const { exporter } = await startSources();
  const config = { gpu_monitoring: { url: exporter.url, update_interval: 0.02 } };
  const { router } = await openScene({ config });
  const health = async () => (await router.get("/health")).json();
  await expect.poll(health, SOON).toMatchObject({ status: "degraded", gpus: 0 });
  new Reloader(router).apply({ gpu_monitoring: { source: "dcgm" } });
  await expect.poll(health, SOON).toMatchObject({ status: "healthy", gpus: 1 });
});
