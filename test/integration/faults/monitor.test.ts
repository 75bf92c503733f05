import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { CHAT } from "../../support/live-request.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { listenOnLoopback } from "../../support/stub-server.ts";
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

describe("a monitor that is not there", () => {
  test("F41 at the start: configured workers serve, nobody crashes, and it is found when it comes", async () => {
    const gone = await listenOnLoopback(0, () => {});
    await gone.close();
    const stub = await startStubWorker();
    const config = {
      gpu_monitoring: { url: gone.url, update_interval: UPDATE_INTERVAL_S },
      error_handler: { retry_delay: 0.01 },
      network: { worker_hosts: ["127.0.0.1"] },
    };
    const withWorker = await startTestRouter({ workers: [stub], config });
    const without = await startTestRouter({ workers: [], config });
    onTestFinished(async () => {
      await assertQuiet(withWorker, [stub]);
      await assertQuiet(without);
      await Promise.all([withWorker.close(), without.close()]);
      await stub.close();
    });
    expect((await withWorker.post(CHAT_PATH, CHAT)).status).toBe(200);
    const says = /^no workers are known: list them under workers: in the config$/;
    await expectTrouble(await without.post(CHAT_PATH, CHAT), { code: "NO_GPU_AVAILABLE", says });
    const gpus = [reportedGpu("a", { endpoint: stub.url })];
    const monitor = await startStubMonitoringService({ port: gone.port, gpus });
    onTestFinished(() => monitor.close());
    const chat = async () => (await without.post(CHAT_PATH, CHAT)).status;
    await expect.poll(chat, SOON).toBe(200);
    expect(logged(without, "gpu source failing", "gpu source answers again")).toEqual([1, 1]);
  });

  test("F42 later: routing goes on, old heat stops steering, /health tells, and it is back without a restart", async () => {
    const hot = reportedGpu("b", { temperature: 90 });
    const scene = await openMonitored({
      gpus: [["a"], ["b"]],
      reported: [reportedGpu("a"), hot],
    });
    const { router, monitor, health, chatters } = scene;
    const messages = [
      "gpu source failing",
      "gpu source outdated, its figures count as unknown",
      "gpu source answers again",
    ];
    expect(await chatters(4)).toEqual(new Set(["worker-1"]));
    const { port } = monitor;
    await monitor.close();
    await expect.poll(health, SOON).toMatchObject({ code: 200, status: "degraded", gpus: 2 });
    const told = expect.arrayContaining([
      expect.stringMatching(
        /^monitor-1 has failed for \d+ s: its temperatures, memory .* unknown$/,
      ),
    ]) as string[];
    await expect.poll(health, SOON).toMatchObject({ code: 200, status: "degraded", reasons: told });
    expect(await gpuSeen(router, "b")).toMatchObject({
      temperature: null,
      too_hot: false,
      memory_free: null,
      memory_total: hot["memory_total"],
    });
    expect(await chatters(20)).toEqual(new Set(["worker-1", "worker-2"]));
    expect(logged(router, ...messages)).toEqual([1, 1, 0]);
    await monitor.listen(port);
    await expect.poll(health, SOON).toMatchObject({ monitors: [{ status: "ok" }] });
    expect(await gpuSeen(router, "b")).toMatchObject({ temperature: 90, too_hot: true });
    expect(await chatters(4)).toEqual(new Set(["worker-1"]));
    expect(logged(router, ...messages)).toEqual([1, 1, 1]);
  });
});

test("F43 a monitor whose clock stands still, or is a year off, is as old as its answers", async () => {
  const { router, monitor, health, chat } = await openMonitored({ gpus: [["a"]] });
  const yearMs = 365 * 86_400_000;
  const wallMs = systemClock.wallMs();
  for (const at of [0, wallMs - yearMs, wallMs + yearMs, "yesterday", null]) {
    const timestamp = typeof at === "number" ? new Date(at).toISOString() : at;
    monitor.onPoll = (response) => {
      response.setHeader("date", "Thu, 01 Jan 1970 00:00:00 GMT");
      answerJson(response, { timestamp, gpus: [reportedGpu("a", { timestamp, last_seen: at })] });
    };
    const beforeMs = systemClock.now();
    await monitor.morePolls(2);
    expect(await health()).toMatchObject({ status: "healthy", monitors: [{ status: "ok" }] });
    const { age_ms: ageMs, temperature } = await gpuSeen(router, "a");
    expect(temperature).toBe(45);
    expect(ageMs).toBeGreaterThanOrEqual(0);
    expect(ageMs).toBeLessThanOrEqual(systemClock.now() - beforeMs + 1);
    expect(await chat()).toBe("worker-1");
  }
});

test("F47 a slow monitor is never asked twice at a time, and is given up after 2 s", async () => {
  const { router, monitor, stubs, health, chat } = await openMonitored({ gpus: [["a"]] });
  const answerAll = monitor.hold();
  await monitor.morePolls(1);
  const polls = monitor.polls;
  const probes = stubs[0]!.probes.length;
  // Meanwhile the worker is asked round after round.
  await expect.poll(() => stubs[0]!.probes.length, SOON).toBeGreaterThan(probes + 10);
  expect(monitor.polls).toBe(polls);
  await expect.poll(health, SOON).toMatchObject({ code: 200, status: "degraded" });
  expect(await chat()).toBe("worker-1");
  const failing = router.logs.filter(({ message }) => message === "gpu source failing");
  expect(failing.map(({ fields }) => fields["reason"])).toEqual([
    expect.stringMatching(/2000 ms|2 s/),
  ]);
  answerAll();
  await expect.poll(health, SOON).toMatchObject({ status: "healthy" });
});
