import { expect, onTestFinished, test } from "vitest";
import { CallbackReceiver } from "../../support/callback-receiver.ts";
import { SECRET } from "../../support/callback-builders.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { cancelJob, overJob, submit, submitBatch, submittedBatch } from "../../support/job-api.ts";
import { inTurn, openScene } from "../../support/router-scene.ts";
import type { SceneOptions } from "../../support/router-scene.ts";
import { error, hangBeforeHeaders, json } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

/** A router that may call a receiver on loopback, for the user "user" alone. */
async function openCallbackScene(options: SceneOptions = {}) {
  const receiver = await new CallbackReceiver().listen();
  onTestFinished(() => receiver.close());
  const callbacks = { allowed_hosts: ["127.0.0.1"], secrets: { user: SECRET } };
  const { router } = await openScene({ ...options, config: { callbacks } });
  const bodies = (): unknown[] => receiver.received.map(({ body }) => JSON.parse(body ?? ""));
  const url = `http://127.0.0.1:${receiver.port}/done?of=jobs`;
  /** All that came, once there are so many. */
  const told = async (count: number): Promise<unknown[]> => {
    await expect.poll(() => receiver.received.length, SOON).toBeGreaterThanOrEqual(count);
    return bodies();
  };
  return { router, receiver, url, told };
}

test("a job's owner is called once, when the job is over", async () => {
  const { router, receiver, url, told } = await openCallbackScene();
  await submit(router, { request_id: "job", callback_url: url });
  const job = await overJob(router, "job");
  expect(await told(1)).toEqual([
    {
      type: "job.completed",
      timestamp: job.finished_at,
      data: { request_id: "job", status: "completed", model_id: "stub-model", user_id: "user" },
    },
  ]);
  expect(receiver.received[0]).toMatchObject({ path: "/done?of=jobs" });
});

test("a job that fails and one that is cancelled are told of, too", async () => {
  const { router, url, told } = await openCallbackScene({
    behaviour: inTurn(error(422, "no"), hangBeforeHeaders),
  });
  await submit(router, { request_id: "bad", callback_url: url });
  await overJob(router, "bad");
  await submit(router, { request_id: "unwanted", callback_url: url });
  await cancelJob(router, "unwanted");
  const ends = (await told(2)) as { readonly type: string }[];
  expect(ends.map(({ type }) => type).toSorted()).toEqual(["job.cancelled", "job.failed"]);
});

test("a batch's owner is called once, when its last job is over, with how they ended", async () => {
  const { router, url, told } = await openCallbackScene({
    worker: { slots: 1 },
    behaviour: inTurn(json(), error(400, "no"), hangBeforeHeaders, json()),
  });
  const items = ["a", "b", "c", "d"].map((request_id) => ({ request_id }));
  const callback = { callback_url: url, batch_id: "night" };
  await submittedBatch(await submitBatch(router, items, callback));
  await overJob(router, "b");
  await cancelJob(router, "c");
  const last = await overJob(router, "d");
  const counts = { completed: 2, failed: 1, cancelled: 1 };
  expect(await told(1)).toEqual([
    {
      type: "batch.completed",
      timestamp: last.finished_at,
      data: { batch_id: "night", status: "completed", user_id: "user", ...counts },
    },
  ]);
});

test("a repetition under the same Idempotency-Key is not told of again", async () => {
  const { router, url, told } = await openCallbackScene();
  const headers = { "idempotency-key": "k" };
  for (let count = 0; count < 3; count++) {
    await submit(router, { request_id: "job", callback_url: url }, headers);
  }
  await overJob(router, "job");
  await submit(router, { request_id: "last", callback_url: url });
  const ends = (await told(2)) as { readonly data: { readonly request_id: string } }[];
  expect(ends.map(({ data }) => data.request_id)).toEqual(["job", "last"]);
});

test("a callback_url where nothing may be called is refused, and the job does not start", async () => {
  const { router } = await openCallbackScene();
  const callback_url = "http://127.0.0.2/done";
  await expectTrouble(await submit(router, { callback_url }), {
    code: "INVALID_REQUEST",
    says: /^callback_url must begin with https/,
    param: "callback_url",
  });
  expect(await router.runningJobs()).toBe(0);
});
