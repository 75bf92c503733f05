import { describe, expect, onTestFinished, test } from "vitest";
import { words } from "../../support/documented-words.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import type { StubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter, TestRouterOptions } from "../../support/test-router.ts";
import { openMonitored, SOON } from "../faults/monitor-setup.ts";
import { deadUrl } from "./troubles-setup.ts";

/** A router before one stub worker that runs on these GPUs, and the monitor at `url`. */
async function openBefore(url: string, gpus: readonly string[] = []): Promise<TestRouter> {
  const worker = await startStubWorker();
  onTestFinished(() => worker.close());
  return openWith(url, { url: worker.url, gpus: [...gpus] });
}

async function openWith(
  url: string,
  worker: TestRouterOptions["workers"][number],
): Promise<TestRouter> {
  const config = { gpu_monitoring: { url }, error_handler: { max_retries: 0 } };
  const router = await startTestRouter({ workers: [worker], config });
  onTestFinished(() => router.close());
  return router;
}

async function openMonitor(
  changes: Partial<Pick<StubMonitoringService, "gpus" | "rawBody" | "status" | "onPoll">>,
): Promise<StubMonitoringService> {
  const monitor = await startStubMonitoringService();
  onTestFinished(() => monitor.close());
  return Object.assign(monitor, changes);
}

/** Until the log has this message with these words in this field. */
async function untilTold(
  { logs }: TestRouter,
  [message, field, says]: readonly [message: string, field: string, says: RegExp],
): Promise<void> {
  const told = () =>
    logs.filter((line) => line.message === message).map(({ fields }) => fields[field]);
  await expect.poll(told, SOON).toContainEqual(expect.stringMatching(says));
}

const failing = words("monitor-1 fails: routing on what was known; the log says why");

describe("GPU states are missing because the monitor", () => {
  const states: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    [
      "is not there",
      deadUrl,
      words(
        "connection refused (ECONNREFUSED); start the GPU Monitoring Service there, or correct gpu_monitoring.url",
      ),
    ],
    [
      "has a name that nobody knows",
      () => Promise.resolve("http://no-such-monitor.invalid:8080"),
      words("host name not found (ENOTFOUND); start the GPU Monitoring Service there"),
    ],
    [
      "hangs",
      async () => (await openMonitor({ onPoll: () => {} })).url,
      words("no complete answer within 2000 ms"),
    ],
    [
      "wants a token",
      async () => (await openMonitor({ status: 401 })).url,
      words("answered 401: it refused our token; set gpu_monitoring.token_env"),
    ],
    [
      "is at another path",
      async () => `${(await openMonitor({})).url}/elsewhere`,
      words("answered 404, expected 200; check gpu_monitoring.url"),
    ],
    [
      "is a page",
      async () => (await openMonitor({ rawBody: "<html></html>" })).url,
      words("answered 200 with HTML, expected JSON; check gpu_monitoring.url"),
    ],
    [
      "is another service",
      async () => (await openMonitor({ rawBody: '{"cards":[]}' })).url,
      words('answered 200 with JSON without a list "gpus"'),
    ],
  ];

  test.each(states)("%s", async (_state, url, says) => {
    const router = await openBefore(await url());
    await untilTold(router, ["gpu source failing", "reason", says]);
    expect(router.logs.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(words("gpu source failing")),
    );
    const health = (await (await router.get("/health")).json()) as { reasons: string[] };
    expect(health.reasons).toEqual([expect.stringMatching(failing)]);
    const chat = { model: "stub-model", messages: [] };
    expect((await router.post("/v1/chat/completions", chat)).status).toBe(200);
  });
});

describe("GPU states are missing though the monitor answers", () => {
  const problem = "gpu source problem";
  const unreported = "gpus of worker not reported";

  test("because it reports none", async () => {
    const router = await openBefore((await openMonitor({ gpus: [] })).url);
    const says = words("it reports no GPU: see on that machine whether nvidia-smi lists any");
    await untilTold(router, [problem, "problem", says]);
  });

  test("because the worker names others", async () => {
    const router = await openBefore((await openMonitor({})).url, ["GPU-8a1c"]);
    const says = words(
      "no monitor reports GPU …: correct workers[].gpus (GET /api/v1/gpus lists the ids)",
    );
    await untilTold(router, [unreported, "problem", says]);
  });

  test("because it does not run where the worker does", async () => {
    const elsewhere = { url: "http://no-such-worker.invalid:8000", gpus: "auto" } as const;
    const router = await openWith((await openMonitor({})).url, elsewhere);
    const says = words(
      "gpus: auto finds none, since no monitor runs on its host …: name its GPUs in workers[].gpus",
    );
    await untilTold(router, [unreported, "problem", says]);
  });

  test("because the server that it reports is not allowed", async () => {
    const endpoint = "http://10.1.2.3:8000";
    const router = await openBefore(
      (await openMonitor({ gpus: [reportedGpu("a", { endpoint })] })).url,
    );
    const says = words('add "…" to network.worker_hosts to send requests there');
    await untilTold(router, ["reported endpoint ignored", "fix", says]);
  });

  test("because it uses other units", async () => {
    const gpus = [reportedGpu("a", { utilization: 55, memory_total: 81_920 })];
    const router = await openBefore((await openMonitor({ gpus })).url);
    for (const says of [
      words("utilization looks like percent, expected 0 to 1: divide it by 100 in the service"),
      words("memory_total is below 16 MiB: looks like MiB, expected bytes; memory is unknown"),
    ]) {
      await untilTold(router, [problem, "problem", says]);
    }
  });

  test("because a card is gone", async () => {
    const { router, monitor } = await openMonitored({ gpus: [["a"], ["b"], ["c"]] });
    monitor.gpus = [reportedGpu("a"), reportedGpu("b")];
    await untilTold(router, ["gpu no longer reported", "gpuId", /^c$/]);
    expect(router.logs.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(words("gpu no longer reported")),
    );
  });
});

test("telemetry is stale, until the monitor answers again", async () => {
  const { router, monitor, health } = await openMonitored({ gpus: [["a"]] });
  monitor.status = 500;
  const stale = words(
    "monitor-1 has failed for … s: its temperatures, memory and utilization count as unknown",
  );
  await expect
    .poll(health, SOON)
    .toMatchObject({ reasons: [expect.stringMatching(stale) as string] });
  const messages = () => router.logs.map(({ message }) => message);
  const outdated = words("gpu source outdated, its figures count as unknown");
  expect(messages()).toContainEqual(expect.stringMatching(outdated));
  monitor.status = 200;
  const again = expect.stringMatching(words("gpu source answers again")) as string;
  await expect.poll(messages, SOON).toContainEqual(again);
});
