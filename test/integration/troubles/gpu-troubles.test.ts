import { expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { CHAT } from "../../support/live-request.ts";
import { reportedGpu } from "../../support/stub-monitoring-service.ts";
import { gpuSeen, logged, openMonitored, SOON } from "../faults/monitor-setup.ts";
import type { Monitored } from "../faults/monitor-setup.ts";

/** Where no worker is usable, a chat waits until its deadline. */
function briefChat({ router }: Monitored): Promise<Response> {
  return router.post("/v1/chat/completions", CHAT, { "x-timeout-ms": "150" });
}

/** a and b at these temperatures, and every answer to come is based on them. */
async function heat({ router, monitor }: Monitored, a: number, b: number): Promise<void> {
  monitor.gpus = [reportedGpu("a", { temperature: a }), reportedGpu("b", { temperature: b })];
  await expect.poll(() => gpuSeen(router, "a"), SOON).toMatchObject({ temperature: a });
}

test("every GPU is too hot: the 503 lists each temperature and the key, until one is cool again", async () => {
  const scene = await openMonitored({ gpus: [["a"], ["b"]] });
  await heat(scene, 91, 88.5);
  const says =
    /^every GPU for stub-model is too hot: worker-1: GPU a 91 °C; worker-2: GPU b 88\.5 °C; limit 85 °C \(gpu_monitoring\.max_temperature\)$/;
  await expectTrouble(await briefChat(scene), { code: "NO_GPU_AVAILABLE", says });
  await heat(scene, 81, 88.5);
  expect((await briefChat(scene)).status).toBe(503);
  await heat(scene, 80, 88.5);
  expect(await scene.chatters(4)).toEqual(new Set(["worker-1"]));
  expect(logged(scene.router, "gpu too hot, not used", "gpu cool again, used")).toEqual([2, 1]);
});

test("every GPU is broken: the 503 names each with its errors, until one is well again", async () => {
  const scene = await openMonitored({ gpus: [["a"], ["b"], ["c"]] });
  const { monitor, health } = scene;
  monitor.gpus = [
    reportedGpu("a"),
    reportedGpu("b", { status: "error" }),
    reportedGpu("c", { status: "maintenance" }),
  ];
  monitor.health.set("a", { status: "critical", errors: ["XID 79: fallen off the bus", "ECC"] });
  const reasons = ["3 worker(s) with a GPU that is too hot, broken or no longer reported"];
  await expect.poll(health, SOON).toMatchObject({ status: "degraded", reasons });
  const says =
    /^no worker can take stub-model now: worker-1: GPU a reports critical: XID 79: fallen off the bus; ECC; worker-2: GPU b reports error; worker-3: GPU c reports maintenance$/;
  await expectTrouble(await briefChat(scene), { code: "NO_GPU_AVAILABLE", says });
  monitor.health.set("a", { status: "healthy", errors: [] });
  await expect.poll(scene.chat, SOON).toBe("worker-1");
});
