import { expect, test } from "vitest";
import {
  as,
  cancelJob,
  overJob,
  readJob,
  submitBatch,
  submittedBatch,
} from "../../support/job-api.ts";
import { inTurn, openScene } from "../../support/router-scene.ts";
import { error, hangBeforeHeaders, held, json } from "../../support/stub-behaviours.ts";

test("a batch is answered with its jobs in the order of its requests, each of which runs", async () => {
  const { router, stub } = await openScene();
  const items = [{ request_id: "a" }, { priority: 1 }, { request_id: "c" }];
  const answer = await submittedBatch(await submitBatch(router, items, { batch_id: "night" }));
  expect(answer).toEqual({
    batch_id: "night",
    status: "processing",
    request_ids: ["a", expect.stringMatching(/^[0-9a-f-]{36}$/), "c"],
    estimated_start_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    estimated_completion_time: null,
  });
  const jobs = await Promise.all(answer.request_ids.map((id) => overJob(router, id)));
  expect(jobs.map(({ status }) => status)).toEqual(["completed", "completed", "completed"]);
  expect(jobs.map((job) => ("priority" in job ? job.priority : null))).toEqual([3, 1, 3]);
  expect(stub.requests).toHaveLength(3);
});

test("a batch gets a batch_id where it has none", async () => {
  const { router } = await openScene();
  const first = await submittedBatch(await submitBatch(router, [{}]));
  const second = await submittedBatch(await submitBatch(router, [{}]));
  expect(first.batch_id).toMatch(/^[0-9a-f-]{36}$/);
  expect(second.batch_id).not.toBe(first.batch_id);
  const ids = [...first.request_ids, ...second.request_ids];
  await Promise.all(ids.map((id) => overJob(router, id)));
});

test("each payload of a batch reaches the worker byte for byte", async () => {
  const { router, stub } = await openScene();
  const payloads = [
    '{ "prompt":"a,]}" , "seed":12345678901234567890, "top_p":1.0 }',
    '{"model":"stub-model","prompt":"\\u00e4","seed":9007199254740993}',
    '{"prompt":["x", {"requests":[{"payload":1}]}]}',
  ];
  const items = payloads.map((payload, index) =>
    index === 1
      ? `{"payload": ${payload}, "model_id":"stub-model", "request_id":"1"}`
      : `\n{"model_id":"stub-model","request_id":"${index}" ,"payload":${payload}}`,
  );
  const body = `{"requests" : [ ${items.join(" ,")} ], "batch_id":"[]"}`.replace("[]", "b");
  await submittedBatch(await router.post("/api/v1/route/batch", body));
  await Promise.all(["0", "1", "2"].map((id) => overJob(router, id)));
  const sent = new Set(stub.requests.map((request) => request.body));
  const named = payloads.map((payload, index) =>
    index === 1 ? payload : `{"model":"stub-model",${payload.slice(1)}`,
  );
  expect(sent).toEqual(new Set(named));
});

test("a batch that finds one slot waits for the others, and says when its items start", async () => {
  const { behaviour, release } = held();
  const { router } = await openScene({ worker: { slots: 1 }, behaviour });
  const items = ["a", "b", "c"].map((request_id) => ({ request_id }));
  expect(await submittedBatch(await submitBatch(router, items))).toMatchObject({
    status: "processing",
  });
  expect(await (await readJob(router, "c")).json()).toMatchObject({ queue_position: 2 });
  const behind = await submittedBatch(await submitBatch(router, [{ request_id: "d" }]));
  expect(behind).toMatchObject({ status: "queued", estimated_start_time: null });
  release();
  for (const id of ["a", "b", "c", "d"]) {
    expect(await overJob(router, id)).toMatchObject({ status: "completed" });
  }
});

test("one item that fails or is cancelled leaves the others alone", async () => {
  const { router } = await openScene({
    worker: { slots: 1 },
    behaviour: inTurn(error(422, "no"), hangBeforeHeaders, json()),
  });
  const items = ["refused", "cancelled", "good"].map((request_id) => ({ request_id }));
  await submittedBatch(await submitBatch(router, items));
  expect(await overJob(router, "refused")).toMatchObject({ status: "failed" });
  await cancelJob(router, "cancelled");
  expect(await overJob(router, "cancelled")).toMatchObject({ status: "cancelled" });
  expect(await overJob(router, "good")).toMatchObject({ status: "completed" });
});

test("a batch's timeouts count for the items without one of their own", async () => {
  const { router } = await openScene({ behaviour: hangBeforeHeaders });
  const items = [{ request_id: "short" }, { request_id: "own", timeout: 60_000 }];
  await submittedBatch(await submitBatch(router, items, { timeout: 50 }));
  const short = await overJob(router, "short");
  expect(short).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  expect(await (await readJob(router, "own")).json()).toMatchObject({ status: "processing" });
  await cancelJob(router, "own");
});

test("a batch's queue_timeout counts for the items without one of their own", async () => {
  const { router } = await openScene({ worker: { slots: 1 }, behaviour: hangBeforeHeaders });
  const items = ["runs", "short", "own"].map((request_id) => ({
    request_id,
    ...(request_id === "own" && { queue_timeout: 60_000 }),
  }));
  await submittedBatch(await submitBatch(router, items, { queue_timeout: 40 }));
  const short = await overJob(router, "short");
  expect(short).toMatchObject({ started_at: null, error: { code: "DEADLINE_EXCEEDED" } });
  expect(await (await readJob(router, "own")).json()).toMatchObject({ status: "queued" });
  await cancelJob(router, "own");
  await cancelJob(router, "runs");
});

test("a service submits a batch for a user, whose jobs they are", async () => {
  const { router } = await openScene();
  const headers = as(router.keys.service);
  const { request_ids } = await submittedBatch(
    await submitBatch(router, [{}], { headers, user_id: "ann" }),
  );
  const job = await overJob(router, request_ids[0]!, { ...headers, "x-user-id": "ann" });
  expect(job.user_id).toBe("ann");
});

test("a batch with an Idempotency-Key runs once, however often it is sent", async () => {
  const { router, stub } = await openScene();
  const headers = { "idempotency-key": "night" };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => submitBatch(router, [{}, {}], { headers })),
  );
  const bodies = await Promise.all(answers.map(submittedBatch));
  const [first] = bodies;
  expect(new Set(bodies.map((body) => JSON.stringify(body.request_ids))).size).toBe(1);
  expect(new Set(bodies.map((body) => body.batch_id)).size).toBe(1);
  await Promise.all(first!.request_ids.map((id) => overJob(router, id)));
  const afterwards = await submitBatch(router, [{}, {}], { headers });
  expect(afterwards.headers.get("idempotent-replayed")).toBe("true");
  const { status, estimated_completion_time } = await submittedBatch(afterwards);
  expect(status).toBe("completed");
  expect(estimated_completion_time).not.toBeNull();
  expect(stub.requests).toHaveLength(2);
});

test("a batch needs no room in a queue that there is not: its jobs take slots", async () => {
  const { router } = await openScene({ config: { queue: { max_requests: 0 } } });
  expect((await submitBatch(router, [{}, {}])).status).toBe(200);
});
