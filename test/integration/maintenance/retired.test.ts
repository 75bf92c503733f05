import { expect, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { held } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import { CHAT_PATH, Reloader } from "../reload/reload-setup.ts";
import { cordon, maintenanceOf } from "./maintenance-setup.ts";

/** A request that runs on worker-1, whose GPU is GPU-1, as worker-2's is. */
async function openBusy() {
  const { router, stubs } = await openScene({ workers: 2, worker: { gpus: ["GPU-1"] } });
  const busy = held();
  for (const stub of stubs) stub.always(busy.behaviour);
  await cordon(router, "worker-2");
  const running = router.post(CHAT_PATH, CHAT);
  await stubs[0]!.seen(1);
  const finish = async (): Promise<void> => {
    busy.release();
    expect((await running).status).toBe(200);
  };
  const drained = async (id: string) => (await cordon(router, id)).drained;
  return { router, edit: new Reloader(router), finish, drained };
}

test.each([
  ["its URL", { url: "http://127.0.0.1:9" }],
  ["its engine", { engine: "llamacpp" }],
] as const)("a worker drains what ran before a reload changed %s", async (_what, change) => {
  const { router, edit, finish, drained } = await openBusy();
  edit.apply({ workers: [edit.worker(change)] });
  const workers = [{ worker_id: "worker-1", active_requests: 1, cordoned: true }];
  expect(await cordon(router, "worker-1")).toMatchObject({ workers, drained: false });
  await finish();
  await expect.poll(() => drained("worker-1"), SOON).toBe(true);
});

test("a cordoned worker that a reload took away drains to its end", async () => {
  const { router, edit, finish, drained } = await openBusy();
  await cordon(router, "worker-1");
  edit.apply({ workers: [] });
  const workers = [{ worker_id: "worker-1", active_requests: 1, cordoned: true }];
  expect(await cordon(router, "worker-1")).toMatchObject({ workers, drained: false });
  await finish();
  await expect.poll(() => drained("worker-1"), SOON).toBe(true);
  expect(await cordon(router, "worker-1")).toMatchObject({ workers: [] });
});

test("a GPU drains what ran on a worker that was on it until a reload", async () => {
  const { router, edit, finish, drained } = await openBusy();
  edit.apply({ workers: edit.config.workers.slice(1) });
  await expect(maintenanceOf(router, "worker-1")).rejects.toThrow("not listed");
  const gone = { worker_id: "worker-1", active_requests: 1, cordoned: true };
  const left = { worker_id: "worker-2", active_requests: 0, cordoned: true };
  expect(await cordon(router, "GPU-1")).toMatchObject({ workers: [left, gone], drained: false });
  await finish();
  await expect.poll(() => drained("GPU-1"), SOON).toBe(true);
});
