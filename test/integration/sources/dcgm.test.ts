import { expect, onTestFinished, test } from "vitest";
import { as } from "../../support/job-api.ts";
import { CHAT } from "../../support/live-request.ts";
import { StubDcgmExporter } from "../../support/stub-dcgm-exporter.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { assertQuiet, SOON, startTestRouter, type TestRouter } from "../../support/test-router.ts";

const IDS = ["GPU-a", "GPU-b", "GPU-c"];

/** A router before an exporter, and a worker on each of its three GPUs. */
async function open() {
  const exporter = await new StubDcgmExporter().listen();
  exporter.report(IDS);
  const stubs = await Promise.all(IDS.map(() => startStubWorker()));
  const router = await startTestRouter({
    workers: stubs.map(({ url }, index) => ({ url, gpus: [IDS[index]!] })),
    config: {
      gpu_monitoring: { source: "dcgm", url: exporter.url, update_interval: 0.05 },
      error_handler: { retry_delay: 0.01 },
      // So that a few chats meet every worker that may be used.
      load_balancer: { strategy: "round_robin" },
    },
  });
  onTestFinished(async () => {
    await assertQuiet(router, stubs);
    await router.close();
    await Promise.all([exporter.close(), ...stubs.map((stub) => stub.close())]);
  });
  await expect.poll(() => gpus(router), SOON).toHaveLength(3);
  return { exporter, router };
}

interface GpuSeen {
  readonly gpu_id: string;
  readonly source: string;
  readonly health: unknown;
  readonly too_hot: boolean;
}

async function gpus(router: TestRouter): Promise<readonly GpuSeen[]> {
  const answer = await router.get("/api/v1/gpus", as(router.keys.operator));
  return ((await answer.json()) as { readonly gpus: readonly GpuSeen[] }).gpus;
}

/** Of so many chats, one after the other: the workers that answered. */
async function chatters(router: TestRouter, count = 6): Promise<Set<string | null>> {
  const seen = new Set<string | null>();
  for (let sent = 0; sent < count; sent++) {
    const answer = await router.post("/v1/chat/completions", CHAT);
    await answer.text();
    seen.add(answer.headers.get("x-worker-id"));
  }
  return seen;
}

test("requests go where no GPU is hot or fallen off the bus, and come back when it is well", async () => {
  const { exporter, router } = await open();
  expect(await chatters(router)).toEqual(new Set(["worker-1", "worker-2", "worker-3"]));

  exporter.gpus.set("GPU-a", { ...exporter.gpus.get("GPU-a"), GPU_TEMP: 91 });
  exporter.gpus.set("GPU-b", { ...exporter.gpus.get("GPU-b"), XID_ERRORS: 79 });
  const critical = { status: "critical", errors: ["XID 79"] };
  await expect
    .poll(() => gpus(router), SOON)
    .toMatchObject([{ too_hot: true }, { too_hot: false, health: critical }, { health: null }]);
  expect(await chatters(router)).toEqual(new Set(["worker-3"]));
  const changes = router.logs.filter(({ message }) => message === "gpu health changed");
  expect(changes).toMatchObject([{ level: "warn", fields: { gpuId: "GPU-b", ...critical } }]);

  // After a reset of the card the exporter starts anew, and has no code to show.
  exporter.report(IDS);
  await expect
    .poll(() => gpus(router), SOON)
    .toMatchObject([{ too_hot: false }, { health: null }, { health: null }]);
  expect(await chatters(router)).toEqual(new Set(["worker-1", "worker-2", "worker-3"]));
});

test("a GPU whose series vanish gets nothing new until they are back", async () => {
  const { exporter, router } = await open();
  exporter.report(["GPU-a", "GPU-c"]);
  const lost = { status: "critical", errors: ["no longer reported by its monitor"] };
  await expect
    .poll(async () => (await gpus(router)).find(({ gpu_id: id }) => id === "GPU-b"), SOON)
    .toMatchObject({ health: lost });
  expect(await chatters(router)).toEqual(new Set(["worker-1", "worker-3"]));
  exporter.report(IDS);
  await expect.poll(() => chatters(router), SOON).toContain("worker-2");
});

test("the views name the exporter, and an exporter without GPUs takes nobody out", async () => {
  const { exporter, router } = await open();
  const source = new URL(exporter.url).host;
  expect(await gpus(router)).toMatchObject([{ source }, { source }, { source }]);
  exporter.rawPage = "# HELP go_goroutines Number.\ngo_goroutines 12\n";
  const health = async () => (await router.get("/health")).json();
  await expect
    .poll(health, SOON)
    .toMatchObject({ status: "degraded", monitors: [{ name: "monitor-1", status: "failing" }] });
  const line = router.logs.find(({ message }) => message === "gpu source failing");
  expect(line?.fields["reason"]).toMatch(/^GET http:.*\/metrics answered 200 without any series/);
  expect(await chatters(router)).toEqual(new Set(["worker-1", "worker-2", "worker-3"]));
});
