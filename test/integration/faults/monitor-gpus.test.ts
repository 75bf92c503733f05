import { describe, expect, onTestFinished, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { json, steppedStream } from "../../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { assertQuiet, startTestRouter } from "../../support/test-router.ts";
import {
  answerJson,
  gpuSeen,
  logged,
  openMonitored,
  SOON,
  UPDATE_INTERVAL_S,
} from "./monitor-setup.ts";

const CHAT_PATH = "/v1/chat/completions";

describe("F48 a GPU that vanishes with work in flight", () => {
  test("F48 its work finishes, nothing new is sent there, and it is used again when it is back", async () => {
    const scene = await openMonitored({ gpus: [["a"], ["b"]] });
    const { router, monitor, stubs, chatters, health } = scene;
    for (const stub of stubs) stub.always(steppedStream(2));
    const live = sendLive(router, { body: STREAMED_CHAT });
    const worker = await Promise.race(stubs.map((stub) => stub.nextRequest().then(() => stub)));
    const own = worker === stubs[0] ? { gpu: "a", id: "worker-1" } : { gpu: "b", id: "worker-2" };
    const other = worker === stubs[0] ? { gpu: "b", id: "worker-2" } : { gpu: "a", id: "worker-1" };
    worker.stream.step();
    await live.nextChunk();
    monitor.gpus = [reportedGpu(other.gpu)];
    const seen = () => gpuSeen(router, own.gpu);
    await expect.poll(seen, SOON).toMatchObject({
      status: "error",
      name: "Stub GPU 80GB",
      memory_total: 80 * 2 ** 30,
      ...{ temperature: null, utilization: null, memory_free: null, power_usage: null },
      health: { status: "critical", errors: ["no longer reported by its monitor"] },
    });
    for (const stub of stubs) stub.always(json());
    expect(await chatters(8)).toEqual(new Set([other.id]));
    expect(await health()).toMatchObject({ code: 200, status: "degraded" });
    const explained = await router.post("/api/v1/route/explain", {
      model_id: "stub-model",
      payload: { messages: [] },
    });
    const reason = `GPU ${own.gpu} is no longer reported by its monitor`;
    const rejected_by = { filter: "gpu_status", reason, permanent: false };
    expect(await explained.json()).toMatchObject({
      chosen: other.id,
      candidates: expect.arrayContaining([
        expect.objectContaining({ worker_id: own.id, rejected_by }),
      ]),
    });
    worker.stream.step(2);
    expect(await live.text()).toContain("data: [DONE]");
    monitor.gpus = [reportedGpu("a"), reportedGpu("b")];
    await expect.poll(health, SOON).toMatchObject({ status: "healthy" });
    expect(await chatters(20)).toEqual(new Set(["worker-1", "worker-2"]));
    expect(logged(router, "gpu no longer reported")).toEqual([1]);
  });

  test("F48 where it was the only one, a request waits for it, and the 503 names it", async () => {
    const { router, monitor } = await openMonitored({ gpus: [["a"]] });
    monitor.gpus = [];
    await expect.poll(() => gpuSeen(router, "a"), SOON).toMatchObject({ status: "error" });
    const says =
      /no worker can take stub-model now: worker-1: GPU a is no longer reported by its monitor/;
    const brief = await router.post(CHAT_PATH, CHAT, { "x-timeout-ms": "150" });
    await expectTrouble(brief, { code: "NO_GPU_AVAILABLE", says });
    const waiting = router.post(CHAT_PATH, CHAT);
    monitor.gpus = [reportedGpu("a")];
    expect((await waiting).status).toBe(200);
  });
});

describe("F49 a monitor that is half empty", () => {
  const all = ["a", "b", "c", "d"].map((id) => reportedGpu(id));
  const gpus = [["a"], ["b"], ["c"], ["d"]];

  test("F49 once is not believed; twice in a row is, and the workers that are left serve", async () => {
    const { router, monitor, chatters, health } = await openMonitored({ gpus });
    let polls = 0;
    monitor.onPoll = (response) =>
      answerJson(response, { gpus: polls++ % 2 ? all : all.slice(0, 1) });
    await monitor.morePolls(7);
    expect(logged(router, "gpu no longer reported")).toEqual([0]);
    expect(await health()).toMatchObject({ status: "healthy", gpus: 4 });
    monitor.onPoll = (response) => answerJson(response, { gpus: all.slice(0, 1) });
    await monitor.morePolls(4);
    expect(await chatters(8)).toEqual(new Set(["worker-1"]));
    monitor.onPoll = null;
    await expect.poll(health, SOON).toMatchObject({ status: "healthy", gpus: 4 });
    expect((await chatters(40)).size).toBeGreaterThan(1);
  });

  test("F49 that reports none at all any more is taken for blind, and routing goes on", async () => {
    const { monitor, chatters, health } = await openMonitored({ gpus });
    monitor.gpus = [];
    const blind = { code: 200, status: "degraded", gpus: 4, monitors: [{ status: "failing" }] };
    await expect.poll(health, SOON).toMatchObject(blind);
    expect((await chatters(40)).size).toBeGreaterThan(1);
    monitor.gpus = all;
    await expect.poll(health, SOON).toMatchObject({ status: "healthy" });
  });
});

test("F50 a GPU that moves to another URL: its old worker finishes, and gets nothing new", async () => {
  const [before, after] = await Promise.all([startStubWorker(), startStubWorker()]);
  const at = (endpoint: string) => [reportedGpu("a", { endpoint })];
  const monitor = await startStubMonitoringService({ gpus: at(before.url) });
  const router = await startTestRouter({
    workers: [],
    config: {
      gpu_monitoring: { url: monitor.url, update_interval: UPDATE_INTERVAL_S },
      network: { worker_hosts: ["127.0.0.1"] },
    },
  });
  onTestFinished(async () => {
    await assertQuiet(router, [before, after]);
    await router.close();
    await Promise.all([monitor.close(), before.close(), after.close()]);
  });
  before.next(steppedStream(2));
  const live = sendLive(router, { body: STREAMED_CHAT });
  await before.nextRequest();
  before.stream.step();
  await live.nextChunk();
  monitor.gpus = at(after.url);
  await after.nextProbe();
  await expect
    .poll(() => gpuSeen(router, "a"), SOON)
    .toMatchObject({
      workers: [after.url.slice("http://".length)],
    });
  for (let sent = 0; sent < 5; sent++) {
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
  }
  expect([before.requests.length, after.requests.length]).toEqual([1, 5]);
  before.stream.step(2);
  expect(await live.text()).toContain("data: [DONE]");
});
