import { expect, test } from "vitest";
import { as, overJob, PAYLOAD, submit } from "../../support/job-api.ts";
import type { JobBody } from "../../support/job-api.ts";
import { sendLive } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { chatCompletion, error, held } from "../../support/stub-behaviours.ts";
import type { TestRouter } from "../../support/test-router.ts";

test("Prefer: wait returns the result, and says how long it would have waited", async () => {
  const { router } = await openScene();
  const answer = await submit(router, {}, { prefer: "respond-async, wait=20" });
  expect(answer.headers.get("preference-applied")).toBe("wait=20");
  expect(await answer.json()).toMatchObject({
    status: "completed",
    worker_id: "worker-1",
    result: chatCompletion(),
    error: null,
  });
});

test("Prefer: wait returns the failure of a job that fails", async () => {
  const { router } = await openScene({ behaviour: error(422, "no") });
  const answer = await submit(router, {}, { prefer: "wait=20" });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    status: "failed",
    result: { error: { message: "no" } },
    error: { code: "INVALID_REQUEST" },
  });
});

test("a wait that ends early tells how far the job is, and the job goes on", async () => {
  const { behaviour, release } = held();
  const { router } = await openScene({ behaviour });
  const answer = await submit(router, { request_id: "slow" }, { prefer: "wait=0" });
  expect(answer.headers.get("preference-applied")).toBe("wait=0");
  const early = (await answer.json()) as JobBody;
  expect(early.status).toBe("processing");
  expect(early).not.toHaveProperty("result");
  release();
  expect((await overJob(router, "slow")).status).toBe("completed");
});

test("a wait longer than 300 s is cut to that, and one that is no number is not applied", async () => {
  const { router } = await openScene();
  const applied = async (prefer: string): Promise<string | null> =>
    (await submit(router, {}, { prefer })).headers.get("preference-applied");
  expect(await applied("wait=9999")).toBe("wait=300");
  expect(await applied("wait=soon")).toBeNull();
  const [line, next] = await router.requestLines(2);
  expect([line?.fields["status"], next?.fields["status"]]).toEqual([200, 200]);
});

test("a client that goes away while it waits does not cancel its job", async () => {
  const { behaviour, release } = held();
  const { router, stub } = await openScene({ behaviour });
  const body = { request_id: "left", model_id: "stub-model", payload: PAYLOAD };
  const waiting = sendLive(router, {
    path: "/api/v1/route",
    body,
    headers: { ...as(router.keys.user), prefer: "wait=20" },
  });
  await stub.seen(1);
  waiting.abort();
  await expect.poll(() => openConnections(router), { timeout: 10_000, interval: 5 }).toBe(0);
  release();
  expect(await overJob(router, "left")).toMatchObject({ status: "completed" });
  expect(stub.aborted).toBe(0);
});

function openConnections({ app }: TestRouter): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.server.getConnections((failure, count) =>
      failure ? reject(failure) : resolve(count),
    );
  });
}
