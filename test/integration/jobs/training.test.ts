import { expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { overJob, readJob, submit } from "../../support/job-api.ts";
import type { JobBody } from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { assertQuiet, startTestRouter } from "../../support/test-router.ts";

test("training goes to the worker that declares it, and inference to the other", async () => {
  const stubs = [await startStubWorker(), await startStubWorker()];
  const types = [["inference"], ["training"]] as const;
  const router = await startTestRouter({
    workers: stubs.map(({ url }, at) => ({ url, types: [...types[at]!] })),
  });
  for (const round of [1, 2, 3]) {
    for (const type of ["inference", "training"]) {
      const id = `${type}-${round}`;
      expect((await submit(router, { request_id: id, type })).status).toBe(200);
      await overJob(router, id);
      const job = (await (await readJob(router, id)).json()) as JobBody;
      expect(job).toMatchObject({
        status: "completed",
        worker_id: type === "training" ? "worker-2" : "worker-1",
      });
    }
  }
  expect(stubs.map((stub) => stub.requests.length)).toEqual([3, 3]);
  await assertQuiet(router, stubs);
  await router.close();
  await Promise.all(stubs.map((stub) => stub.close()));
});

test("training that no worker declares is refused, with the setting to change", async () => {
  const { router, stub } = await openScene();
  await expectTrouble(await submit(router, { type: "training" }), {
    code: "NO_GPU_FITS",
    says: /worker-1: takes inference only; add "training" to its types to allow it/,
  });
  expect(stub.requests).toHaveLength(0);
});
