import { expect, onTestFinished, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyBeforeHeaders, error, held, steppedStream } from "../../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { SOON } from "../../support/test-router.ts";
import { CHAT_PATH, explain, queued, Reloader, untilUp } from "../reload/reload-setup.ts";
import { cordon, maintenanceOf, setMaintenance, uncordon } from "./maintenance-setup.ts";

const BRIEF = { "x-timeout-ms": "300" };

test("under load: nothing is lost, no new request goes there, and what runs there finishes", async () => {
  const { router, stubs } = await openScene({ workers: 2, worker: { slots: 1000 } });
  const [one, two] = stubs;
  const busy = held();
  for (const stub of stubs) stub.always(busy.behaviour);
  const burst = (): Promise<Response>[] =>
    Array.from({ length: 40 }, () => router.post(CHAT_PATH, CHAT));
  const before = burst();
  const arrived = { timeout: 20_000, interval: 5 };
  await expect.poll(() => one!.requests.length + two!.requests.length, arrived).toBe(40);
  const there = one!.requests.length;
  expect(there).toBeGreaterThan(0);
  const answer = await cordon(router, "worker-1");
  const workers = [{ worker_id: "worker-1", active_requests: there, cordoned: true }];
  expect(answer).toMatchObject({ enabled: true, workers, drained: false });
  const after = burst();
  await two!.seen(80 - there);
  busy.release();
  const statuses = (await Promise.all([...before, ...after])).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(one!.requests).toHaveLength(there);
  expect(await cordon(router, "worker-1")).toMatchObject({
    workers: [{ active_requests: 0 }],
    drained: true,
  });
});

test("a stream that runs there goes on to its end", async () => {
  const { router, stub } = await openScene({ behaviour: steppedStream(2) });
  const live = sendLive(router, { body: STREAMED_CHAT });
  stub.stream.step();
  await live.nextChunk();
  expect((await cordon(router, "worker-1")).drained).toBe(false);
  stub.stream.step();
  stub.stream.step();
  expect(await live.text()).toMatch(/token0.*token1.*data: \[DONE\]\n\n$/s);
  await expect.poll(async () => (await cordon(router, "worker-1")).drained, SOON).toBe(true);
});

test("what only it could serve waits, and goes as soon as it is in service again", async () => {
  const { router, stub } = await openScene({ worker: { slots: 1 } });
  await setMaintenance(router, "worker-1", { enabled: true, reason: "driver upgrade" });
  const waiting = router.post(CHAT_PATH, CHAT);
  await expect.poll(() => queued(router), SOON).toBe(1);
  expect((await explain(router)).candidates[0]?.rejected_by).toMatchObject({
    filter: "cordoned",
    reason: expect.stringMatching(/^cordoned since 2\S+Z: driver upgrade$/) as string,
  });
  const refused = await router.post(CHAT_PATH, CHAT, BRIEF);
  expect(refused.status).toBe(503);
  expect(await refused.text()).toMatch(/NO_GPU_AVAILABLE.*worker-1: cordoned since .*driver/);
  expect(stub.requests).toHaveLength(0);
  await uncordon(router, "worker-1");
  expect(await queued(router)).toBe(0);
  expect((await waiting).status).toBe(200);
});

test("a request whose worker fails is not tried again on a cordoned one", async () => {
  const request_router = { retry_delay: 0.01, request_timeout: 0.5 };
  const { router, stubs } = await openScene({ workers: 2, config: { request_router } });
  const [one, two] = stubs;
  await cordon(router, "worker-2");
  one!.always(error(500, "CUDA out of memory"));
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(502);
  expect(two!.requests).toHaveLength(0);
});

test("a worker that cools down gets no probe while it is cordoned", async () => {
  const error_handler = { gpu_cooldown_period: 0.01 };
  const config = { error_handler, request_router: { max_retries: 0 } };
  const { router, stub } = await openScene({ config });
  stub.always(destroyBeforeHeaders);
  const isCooling = (): boolean => router.logs.some((line) => line.message === COOLING);
  while (!isCooling()) await router.post(CHAT_PATH, CHAT, BRIEF);
  stub.always(error(500, "no probe may come"));
  const sent = stub.requests.length;
  await cordon(router, "worker-1");
  // Long enough for the early probe of each second, and for the end of the cooldown.
  const refused = await router.post(CHAT_PATH, CHAT, { "x-timeout-ms": "1500" });
  expect(await refused.text()).toMatch(/cordoned/);
  expect(stub.requests).toHaveLength(sent);
});
const COOLING = "worker cooling down";

test("a model of which only cordoned and cooling workers are left counts as cooling", async () => {
  const config = { request_router: { max_retries: 0 } };
  const { router, stub } = await openScene({ workers: 2, config });
  const cooling = async (): Promise<string | undefined> =>
    /^router_models_cooling (\d)$/m.exec(await router.metricsText())?.[1];
  await cordon(router, "worker-2");
  expect(await cooling()).toBe("0");
  stub.always(destroyBeforeHeaders);
  while (!router.logs.some((line) => line.message === COOLING)) {
    await router.post(CHAT_PATH, CHAT, BRIEF);
  }
  expect(await cooling()).toBe("1");
  await cordon(router, "worker-1");
  expect(await cooling()).toBe("0");
});

test("it stays cordoned through polls, an outage of the monitor, and a reload that takes it away", async () => {
  const monitor = await startStubMonitoringService({ gpus: [reportedGpu("GPU-1")] });
  onTestFinished(() => monitor.close());
  const { router } = await openScene({
    worker: { gpus: ["GPU-1"] },
    config: { gpu_monitoring: { url: monitor.url, update_interval: 0.2 } },
  });
  const edit = new Reloader(router);
  await cordon(router, "GPU-1");
  const since = (await maintenanceOf(router, "GPU-1"))?.since;
  const polls = monitor.polls;
  await expect.poll(() => monitor.polls, SOON).toBeGreaterThan(polls + 2);
  expect((await maintenanceOf(router, "GPU-1"))?.since).toBe(since);
  monitor.status = 500;
  const failing = (): boolean => router.logs.some((l) => l.message === "gpu source failing");
  await expect.poll(failing, SOON).toBe(true);
  expect((await maintenanceOf(router, "worker-1"))?.since).toBe(since);
  const { workers } = edit.config;
  edit.apply({ workers: [] });
  edit.apply({ workers });
  await untilUp(router, "worker-1");
  expect((await maintenanceOf(router, "worker-1"))?.since).toBe(since);
  expect((await explain(router)).candidates[0]?.rejected_by?.filter).toBe("cordoned");
});

test("/health and the metrics tell of it", async () => {
  const { router } = await openScene({ workers: 2 });
  const health = async () => {
    const answer = await fetch(`${router.url}/health`);
    return [answer.status, await answer.json()];
  };
  await cordon(router, "worker-1");
  const reasons = ["1 worker(s) cordoned"];
  expect(await health()).toMatchObject([200, { status: "degraded", reasons }]);
  expect(await router.metricsText()).toMatch(
    /^router_worker_cordoned\{worker_id="worker-1"\} 1\n.*worker-2"\} 0$/m,
  );
  await cordon(router, "worker-2");
  const all = ["2 worker(s) cordoned"];
  expect(await health()).toMatchObject([503, { status: "unhealthy", reasons: all }]);
});
