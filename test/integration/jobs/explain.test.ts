import { expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { overJob, PAYLOAD, submit } from "../../support/job-api.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

interface DecisionBody {
  readonly strategy: string;
  readonly chosen: string | null;
  readonly candidates: readonly {
    readonly worker_id: string;
    readonly score: number | null;
    readonly scores: Readonly<Record<string, number>> | null;
    readonly rejected_by: { readonly filter: string; readonly permanent: boolean } | null;
  }[];
}

const JOB = { model_id: "stub-model", payload: PAYLOAD };

const explain = (router: TestRouter, changes: object = {}) =>
  router.post("/api/v1/route/explain", { ...JOB, ...changes });

test("explain decides as the route then does, and sends and takes nothing", async () => {
  // Unlike GPUs, so that the choice is one of reason and not of chance.
  const gpus = [
    reportedGpu("slow", { performance_index: 0.2, temperature: 80 }),
    reportedGpu("fast", { performance_index: 0.9, temperature: 40 }),
  ];
  const monitor = await startStubMonitoringService({ gpus });
  const stubs = await Promise.all([startStubWorker(), startStubWorker()]);
  const router = await startTestRouter({
    workers: stubs.map(({ url }, index) => ({ url, gpus: [gpus[index]!["gpu_id"] as string] })),
    config: { gpu_monitoring: { url: monitor.url } },
  });

  const decision = (await (await explain(router)).json()) as DecisionBody;
  expect(decision).toMatchObject({ strategy: "hybrid", chosen: "worker-2" });
  expect(decision.candidates.map(({ worker_id }) => worker_id)).toEqual(["worker-1", "worker-2"]);
  const [slow, fast] = decision.candidates;
  expect(Object.keys(fast?.scores ?? {}).toSorted()).toEqual([
    "health",
    "performance",
    "priority",
    "usage",
  ]);
  expect(fast?.score).toBeGreaterThan(slow?.score ?? 1);
  expect(sentTo(stubs)).toBe(0);
  expect(await router.openLeases()).toBe(0);

  await submit(router, { request_id: "same" });
  expect((await overJob(router, "same")).decision).toEqual(decision);
  await router.close();
  await Promise.all([monitor, ...stubs].map((stub) => stub.close()));
});

test("explain tells why nobody can take a job, instead of an error", async () => {
  const { router } = await openScene({ workers: 2 });
  const answer = await explain(router, { model_id: "gpt-9" });
  expect(answer.status).toBe(200);
  const { chosen, candidates } = (await answer.json()) as DecisionBody;
  expect(chosen).toBeNull();
  expect(candidates).toHaveLength(2);
  for (const { rejected_by, score, scores } of candidates) {
    expect(rejected_by).toMatchObject({ filter: "serves_model", permanent: true });
    expect([score, scores]).toEqual([null, null]);
  }
  expect(await router.runningJobs()).toBe(0);
});

test("explain keeps nothing: the same request_id can be explained again, and then submitted", async () => {
  const { router } = await openScene();
  for (let count = 0; count < 2; count++) {
    expect((await explain(router, { request_id: "later" })).status).toBe(200);
  }
  expect((await router.get("/api/v1/requests/later")).status).toBe(404);
  expect((await submit(router, { request_id: "later" })).status).toBe(200);
  await overJob(router, "later");
});

test("explain takes what the submission takes, and neither waits nor calls back", async () => {
  const { router } = await openScene();
  const submission = { queue_timeout: 1000, callback_url: "https://example.org/done" };
  expect((await explain(router, submission)).status).toBe(200);
});

test("explain is as strict as the submission", async () => {
  const { router } = await openScene();
  await expectTrouble(await explain(router, { prio: 5 }), {
    code: "INVALID_REQUEST",
    says: /^unknown field: prio/,
    param: "prio",
  });
  await expectTrouble(await explain(router, { user_id: "ann" }), {
    code: "USER_MISMATCH",
    says: /belongs to user/,
    param: "user_id",
  });
});
