import { expect, onTestFinished, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { openScene } from "../../support/router-scene.ts";
import { SOON } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";
/** Of a router with one worker and no GPU, the process's own among them: 324 when this was written. */
const SERIES_MAX = 350;
const METHODS = ["PATCH", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "LINK"] as const;

async function seriesOf(router: TestRouter): Promise<readonly string[]> {
  const lines = (await router.metricsText()).split("\n");
  return lines
    .filter((line) => /^\w/.test(line))
    .map((line) => line.slice(0, line.lastIndexOf(" ")));
}

/** Sends `count` requests, some at a time, and resolves with their statuses. */
async function send(
  { app, keys }: TestRouter,
  count: number,
  request: (index: number) => { method: string; url: string; model?: string },
): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>();
  const one = async (index: number): Promise<void> => {
    const { method, url, model } = request(index);
    const answer = await app.server.inject({
      method: method as "POST",
      url,
      headers: {
        authorization: `Bearer ${keys.service}`,
        "content-type": "application/json",
        "x-user-id": `user-${index % 64}`,
        "x-request-id": `request-${index}`,
      },
      ...(model !== undefined && { payload: JSON.stringify({ ...CHAT, model }) }),
    });
    statuses.add(answer.statusCode);
  };
  for (let sent = 0; sent < count; sent += 50) {
    const some = Array.from({ length: Math.min(50, count - sent) }, (_, index) =>
      one(sent + index),
    );
    await Promise.all(some);
  }
  return statuses;
}

test("64 users, 10,000 models, 1,000 paths and odd methods add no series but those of their answers", async () => {
  const { router } = await openScene();
  const models = (index: number) => ({ method: "POST", url: PATH, model: `model-${index}` });
  const served = () => ({ method: "POST", url: PATH, model: "stub-model" });
  const paths = (index: number) => ({ method: "GET", url: `/v1/path-${index}?a=${index}` });
  const methods = (index: number) => ({ method: METHODS[index % METHODS.length]!, url: PATH });
  for (const request of [models, served, paths, methods]) await send(router, 1, request);
  const few = await seriesOf(router);
  expect(await send(router, 10_000, models)).toEqual(new Set([404]));
  expect(await send(router, 640, served)).toEqual(new Set([200]));
  expect(await send(router, 1000, paths)).toEqual(new Set([404]));
  await send(router, 60, methods);
  const many = await seriesOf(router);
  // Node.js shows a kind of handle while there is one.
  const isOfNode = (name: string): boolean => name.startsWith("nodejs_");
  expect(many.filter((name) => !isOfNode(name))).toEqual(few.filter((name) => !isOfNode(name)));
  expect(many.length).toBeLessThanOrEqual(SERIES_MAX);
  expect(many.join("\n")).not.toMatch(/user-\d|model-\d|path-\d|request-\d|PROPFIND/);
}, 60_000);

test("GPUs that come and go leave no series behind", async () => {
  const monitor = await startStubMonitoringService({
    gpus: [reportedGpu("GPU-a"), reportedGpu("GPU-b")],
  });
  onTestFinished(() => monitor.close());
  const { router } = await openScene({
    config: { gpu_monitoring: { url: monitor.url, update_interval: 0.1 } },
  });
  const gpuSeries = async (): Promise<readonly string[]> =>
    (await seriesOf(router)).filter((name) => name.includes("gpu_id="));
  await expect.poll(gpuSeries, SOON).toHaveLength(20);
  for (let round = 0; round < 10; round++) {
    monitor.gpus = [reportedGpu("GPU-b"), reportedGpu(`GPU-${round}`)];
    await monitor.morePolls(2);
  }
  const last = ['gpu_id="GPU-b"', 'gpu_id="GPU-9"'];
  const others = async (): Promise<readonly string[]> =>
    (await gpuSeries()).filter((name) => !last.some((id) => name.includes(id)));
  await expect.poll(others, SOON).toEqual([]);
  expect(await gpuSeries()).toHaveLength(20);
});
