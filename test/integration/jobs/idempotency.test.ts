import { expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import type { JobBody } from "../../support/job-api.ts";
import {
  as,
  overJob,
  PAYLOAD,
  readJob,
  submit as submitWith,
  submittedId,
} from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import { chatCompletion, hangBeforeHeaders, held } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

const KEY = { "idempotency-key": "order 17" };

/** Submits a job under the key. */
function submit(router: TestRouter, changes: object = {}, headers: Record<string, string> = {}) {
  return submitWith(router, { ...changes }, { ...KEY, ...headers });
}

const isReplay = (answer: Response): boolean => answer.headers.has("idempotent-replayed");

test("a hundred submissions of one key at once make one job", async () => {
  const { router, stub } = await openScene();
  const answers = await Promise.all(Array.from({ length: 100 }, () => submit(router)));
  const ids = await Promise.all(answers.map(submittedId));
  expect(new Set(ids).size).toBe(1);
  expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
  await overJob(router, ids[0]!);
  expect(stub.requests).toHaveLength(1);
});

test("a repetition shows how its job goes now", async () => {
  const { behaviour, release } = held();
  const { router, stub } = await openScene({ behaviour });
  const first = await submit(router);
  expect(isReplay(first)).toBe(false);
  const id = await submittedId(first);

  const whileRunning = await submit(router);
  expect(whileRunning.headers.get("idempotent-replayed")).toBe("true");
  expect(await whileRunning.json()).toMatchObject({ request_id: id, status: "processing" });

  release();
  await overJob(router, id);
  const afterwards = await submit(router);
  expect([afterwards.status, isReplay(afterwards)]).toEqual([200, true]);
  expect(await afterwards.json()).toMatchObject({ request_id: id, status: "completed" });
  expect(stub.requests).toHaveLength(1);
});

test("a repetition waits for the result where it prefers to", async () => {
  const { behaviour, release } = held();
  const { router } = await openScene({ behaviour });
  const id = await submittedId(await submit(router));
  const waiting = submit(router, {}, { prefer: "wait=20" });
  // By then the repetition has most likely come, too.
  expect((await readJob(router, id)).status).toBe(200);
  release();
  const answer = await waiting;
  expect(answer.headers.get("preference-applied")).toBe("wait=20");
  const job = (await answer.json()) as JobBody;
  expect(job).toMatchObject({ request_id: id, status: "completed", result: chatCompletion() });
});

test("a key with another body is refused, and so is one with another route", async () => {
  const { router, stub } = await openScene();
  const id = await submittedId(await submit(router));
  const trouble = {
    code: "IDEMPOTENCY_MISMATCH",
    says: /^this Idempotency-Key was used for another body or route/,
    param: "idempotency-key",
  } as const;
  await expectTrouble(await submit(router, { priority: 2 }), trouble);
  const requests = [{ model_id: "stub-model", payload: PAYLOAD }];
  await expectTrouble(await router.post("/api/v1/route/batch", { requests }, KEY), trouble);
  await overJob(router, id);
  expect(stub.requests).toHaveLength(1);
});

test("a key is its user's own, also where a service acts for the user", async () => {
  const { router } = await openScene();
  const service = as(router.keys.service);
  const ids = [
    await submittedId(await submit(router)),
    await submittedId(await submit(router, {}, service)),
    await submittedId(await submit(router, { user_id: "ann" }, service)),
  ];
  expect(new Set(ids).size).toBe(3);
  const again = await submit(router, { user_id: "ann" }, service);
  expect(isReplay(again)).toBe(true);
  expect(await submittedId(again)).toBe(ids[2]);
});

test("a refused submission does not use its key up", async () => {
  const { router, stub } = await openScene({
    worker: { slots: 1 },
    config: { queue: { max_requests: 0 } },
    behaviour: hangBeforeHeaders,
  });
  await submitWith(router, { request_id: "first", timeout: 100 });
  await expectTrouble(await submit(router, { timeout: 50 }), { code: "QUEUE_FULL", says: /taken/ });
  await overJob(router, "first");
  const accepted = await submit(router, { timeout: 50 });
  expect([accepted.status, isReplay(accepted)]).toEqual([200, false]);
  await overJob(router, await submittedId(accepted));
  expect(stub.requests).toHaveLength(2);
});

test("a repetition costs nothing of the quota", async () => {
  const { router } = await openScene({ config: { users: [{ id: "user", request_limit: 1 }] } });
  const first = await submit(router);
  const id = await submittedId(first);
  expect(isReplay(await submit(router))).toBe(true);
  const another = { "idempotency-key": "order 18" };
  await expectTrouble(await submit(router, {}, another), {
    code: "QUOTA_EXCEEDED",
    says: /request_limit/,
    param: "request_limit",
  });
  await overJob(router, id);
});

test("a key whose job is dropped is free again", async () => {
  const { router, stub } = await openScene({ config: { jobs: { ttl: 0.05 } } });
  const id = await submittedId(await submit(router));
  await expect.poll(async () => (await readJob(router, id)).status, SOON).toBe(404);
  const anew = await submit(router, { priority: 1 });
  expect([anew.status, isReplay(anew)]).toEqual([200, false]);
  expect(await submittedId(anew)).not.toBe(id);
  await expect.poll(() => stub.requests.length, SOON).toBe(2);
});

test("a submission without a key runs however often it is sent", async () => {
  const { router } = await openScene();
  const ids = [await submitWith(router), await submitWith(router)].map(submittedId);
  const [one, other] = await Promise.all(ids);
  expect(one).not.toBe(other);
  await Promise.all([overJob(router, one!), overJob(router, other!)]);
});
