import { describe, expect, onTestFinished, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as } from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { SOON } from "../../support/test-router.ts";
import { Reloader } from "../reload/reload-setup.ts";
import {
  cordon,
  maintain,
  maintenanceOf,
  maintenancePath,
  setMaintenance,
  uncordon,
} from "./maintenance-setup.ts";

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;

describe("POST /api/v1/gpus/{gpu_id}/maintenance", () => {
  test("answers with all that is true from now on, and logs who did what and why", async () => {
    const { router } = await openScene();
    const first = await setMaintenance(router, "worker-1", {
      enabled: true,
      reason: "yeni vantilatör, ısınıyor",
    });
    expect(first).toEqual({
      gpu_id: "worker-1",
      enabled: true,
      reason: "yeni vantilatör, ısınıyor",
      since: TIME,
      by: "operator",
      workers: [{ worker_id: "worker-1", active_requests: 0, cordoned: true }],
      drained: true,
      lasts: "until it is ended, or the router restarts",
    });
    const ended = await setMaintenance(router, "worker-1", { enabled: false, reason: "done" });
    expect(ended).toEqual({
      gpu_id: "worker-1",
      ...{ enabled: false, reason: null, since: null, by: null, drained: false, lasts: null },
      workers: [{ worker_id: "worker-1", active_requests: 0, cordoned: false }],
    });
    const lines = router.logs.filter(({ message }) => message.includes("cordoned"));
    const said = { gpuId: "worker-1", by: "operator" };
    expect(lines).toEqual([
      {
        level: "info",
        message: "gpu cordoned",
        fields: { ...said, reason: "yeni vantilatör, ısınıyor" },
      },
      { level: "info", message: "gpu uncordoned", fields: { ...said, reason: "done" } },
    ]);
  });

  test("twice keeps the time and whoever came first, and takes the new reason", async () => {
    const { router } = await openScene();
    const { since } = await setMaintenance(router, "worker-1", { enabled: true, reason: "a" });
    const body = { enabled: true, reason: "b" };
    const answer = await router.post(maintenancePath("worker-1"), body, as(router.keys.admin));
    expect(await answer.json()).toMatchObject({ since, by: "operator", reason: "b" });
    expect(await cordon(router, "worker-1")).toMatchObject({ since, reason: "b" });
  });

  test("ends what never began without a word", async () => {
    const { router } = await openScene();
    expect(await uncordon(router, "worker-1")).toMatchObject({ enabled: false });
    expect(router.logs.filter(({ message }) => message.includes("cordoned"))).toEqual([]);
  });

  test("of a GPU that an own cordon of a worker outlives says so", async () => {
    const { router } = await openScene({ worker: { gpus: ["GPU-1"] } });
    await cordon(router, "GPU-1");
    await cordon(router, "worker-1");
    expect(await uncordon(router, "GPU-1")).toMatchObject({
      enabled: false,
      workers: [{ worker_id: "worker-1", cordoned: true }],
    });
    expect(await uncordon(router, "worker-1")).toMatchObject({ workers: [{ cordoned: false }] });
  });

  test("can end the cordon of what has left the fleet", async () => {
    const { router } = await openScene();
    const edit = new Reloader(router);
    await cordon(router, "worker-1");
    edit.apply({ workers: [] });
    expect(await uncordon(router, "worker-1")).toMatchObject({ enabled: false, workers: [] });
    await expectTrouble(await maintain(router, "worker-1", { enabled: false }), {
      code: "GPU_NOT_FOUND",
      says: /^no such GPU or worker: GET \/api\/v1\/gpus lists those that are known$/,
      param: "gpu_id",
    });
  });

  test.each([
    [{}, "enabled", /enabled/],
    [{ enabled: "yes" }, "enabled", /enabled/],
    [{ enabled: true, reason: "" }, "reason", /1 to 256 printable characters on one line/],
    [{ enabled: true, reason: "a\nb" }, "reason", /1 to 256 printable characters on one line/],
    [{ enabled: true, reason: "\u001b[2J" }, "reason", /1 to 256 printable characters on one line/],
    [{ enabled: true, reason: "x".repeat(257) }, "reason", /1 to 256 printable/],
    [{ enabled: true, reason: " \u00a0\u3000" }, "reason", /not blank/],
    [{ enabled: true, reason: "\u200c\u200d" }, "reason", /not blank/],
    [{ enabled: true, reason: "a\u202eb" }, "reason", /1 to 256 printable/],
    [{ enabled: true, reason: "a\u200bb" }, "reason", /1 to 256 printable/],
    [{ enabled: true, until: "noon" }, "until", /until/],
  ])("refuses %j, naming the field", async (body, param, says) => {
    const { router } = await openScene();
    const answer = await maintain(router, "worker-1", body);
    await expectTrouble(answer, { code: "INVALID_REQUEST", says, param });
    expect(await maintenanceOf(router, "worker-1")).toBeNull();
  });

  test.each(["می\u200cشود", "क्\u200dष", "👩\u200d🔧", " x ", "x".repeat(256)])(
    "takes the reason %j",
    async (reason) => {
      const { router } = await openScene();
      const answer = await setMaintenance(router, "worker-1", { enabled: true, reason });
      expect(answer.reason).toBe(reason);
    },
  );

  test.each(["MIG-GPU-1/2/0", "GPU 1 (left)", "GPU-é%2F?#", "__proto__"])(
    "takes the id %s",
    async (id) => {
      const monitor = await startStubMonitoringService({ gpus: [reportedGpu(id)] });
      onTestFinished(() => monitor.close());
      const { router } = await openScene({
        worker: { gpus: [id] },
        config: { gpu_monitoring: { url: monitor.url } },
      });
      const listed = async () => (await router.get("/api/v1/gpus")).text();
      await expect.poll(listed, SOON).toContain(JSON.stringify(id));
      const answer = await maintain(router, id, { enabled: true });
      expect([answer.status, await answer.json()]).toMatchObject([200, { gpu_id: id }]);
      expect(await maintenanceOf(router, "worker-1")).not.toBeNull();
    },
  );
});

test("GET /api/v1/gpus lists every cordon for operators, also on what has left the fleet", async () => {
  const { router } = await openScene();
  const cordons = async (key: string) => {
    const answer = await router.get("/api/v1/gpus", as(key));
    return ((await answer.json()) as { readonly cordons: unknown }).cordons;
  };
  expect(await cordons(router.keys.operator)).toEqual([]);
  await setMaintenance(router, "worker-1", { enabled: true, reason: "new fan" });
  const row = { worker_id: "worker-1", active_requests: 0, cordoned: true };
  const listed = { gpu_id: "worker-1", reason: "new fan", since: TIME, by: "operator" };
  const here = [{ ...listed, workers: [row], drained: true }];
  expect(await cordons(router.keys.operator)).toEqual(here);
  expect(await cordons(router.keys.user)).toBeNull();
  new Reloader(router).apply({ workers: [] });
  const gone = [{ ...listed, workers: [], drained: true }];
  expect(await cordons(router.keys.operator)).toEqual(gone);
  await uncordon(router, "worker-1");
  expect(await cordons(router.keys.operator)).toEqual([]);
});

test("GET /api/v1/gpus shows a cordon on the GPU and its workers, and its author to operators alone", async () => {
  const monitor = await startStubMonitoringService({
    gpus: [reportedGpu("GPU-1"), reportedGpu("GPU-2")],
  });
  onTestFinished(() => monitor.close());
  const { router } = await openScene({
    worker: { gpus: ["GPU-1", "GPU-2"] },
    config: { gpu_monitoring: { url: monitor.url } },
  });
  await setMaintenance(router, "GPU-1", { enabled: true, reason: "yeni vantilatör, ısınıyor" });
  const shown = { reason: "yeni vantilatör, ısınıyor", since: TIME, by: "operator" };
  for (const id of ["GPU-1", "worker-1"]) {
    expect(await maintenanceOf(router, id)).toEqual(shown);
    for (const role of ["user", "service"] as const) {
      expect(await maintenanceOf(router, id, router.keys[role])).toEqual({ ...shown, by: null });
    }
  }
  expect(await maintenanceOf(router, "GPU-2")).toBeNull();
  const detail = await router.get("/api/v1/gpus/GPU-1", as(router.keys.operator));
  expect(await detail.json()).toMatchObject({ maintenance: shown, active_requests: [] });
});
