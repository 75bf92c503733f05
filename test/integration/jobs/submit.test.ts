import { expect, onTestFinished, test, vi } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import {
  cancelJob,
  overJob,
  PAYLOAD,
  readJob,
  submit,
  submittedId,
} from "../../support/job-api.ts";
import { inTurn, openScene } from "../../support/router-scene.ts";
import {
  chatCompletion,
  destroyBeforeHeaders,
  error,
  hangBeforeHeaders,
  held,
  json,
} from "../../support/stub-behaviours.ts";

test("a job is answered at once with where it went, and read until it is completed", async () => {
  const { router, stub } = await openScene();

  const answer = await submit(router, { request_id: "job-1", priority: 4 });
  expect(await answer.json()).toEqual({
    request_id: "job-1",
    status: "processing",
    gpu_id: "worker-1",
    worker_id: "worker-1",
    queue_position: 0,
    estimated_start_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    estimated_completion_time: null,
    placement: null,
  });

  const job = await overJob(router, "job-1");
  expect(job).toMatchObject({
    status: "completed",
    user_id: "user",
    model_id: "stub-model",
    type: "inference",
    priority: 4,
    worker_id: "worker-1",
    gpu_ids: [],
    progress: 1,
    result: chatCompletion(),
    error: null,
    attempts: [{ worker_id: "worker-1", outcome: "answered", failure: null }],
    decision: { strategy: "hybrid", chosen: "worker-1" },
  });
  expect(Date.parse(job.submitted_at)).toBeLessThanOrEqual(Date.parse(job.started_at ?? ""));
  expect(Date.parse(job.started_at ?? "")).toBeLessThanOrEqual(Date.parse(job.finished_at ?? ""));
  const { path, body, headers } = stub.requests[0]!;
  expect(path).toBe("/v1/chat/completions");
  expect(JSON.parse(body)).toEqual({ ...PAYLOAD, model: "stub-model" });
  expect(headers.authorization).toBeUndefined();
});

test.each([
  ['{ "prompt":"a" , "seed":12345678901234567890, "top_p":1.0 }'],
  ['{"model":"stub-model","prompt":"\\u00e4","seed":9007199254740993}'],
])("the payload %s reaches the worker byte for byte, with the model", async (payload) => {
  const { router, stub } = await openScene();
  const body = `{"model_id": "stub-model", "payload":${payload}}`;
  await router.post("/api/v1/route", body, { prefer: "wait=20" });
  const sent = stub.requests[0]?.body ?? "";
  const model = '"model":"stub-model"';
  expect(sent).toBe(payload.includes(model) ? payload : `{${model},${payload.slice(1)}`);
});

test("a job is told how long it may take once another of its model has completed", async () => {
  const { router, stub } = await openScene();
  const first = held();
  stub.next(first.behaviour);
  const id = await submittedId(await submit(router));
  // It takes a minute: an estimate of a millisecond may be past before anybody is told it.
  const { now } = Date;
  const wall = vi.spyOn(Date, "now").mockImplementation(() => now() + 60_000);
  onTestFinished(() => wall.mockRestore());
  first.release();
  await overJob(router, id);
  stub.next(hangBeforeHeaders);
  const second = await (await submit(router, { timeout: 300 })).json();
  expect(second).toMatchObject({ estimated_completion_time: expect.any(String) as string });
  const own = { timeout: 300, resource_requirements: { expected_duration: 60_000 } };
  stub.next(hangBeforeHeaders);
  const told = (await (await submit(router, own)).json()) as Record<string, string>;
  const { estimated_start_time: start = "", estimated_completion_time: end = "" } = told;
  expect(Date.parse(end) - Date.parse(start)).toBe(60_000);
});

test("two users may use the same request_id, one user may not use it twice", async () => {
  const { router } = await openScene();
  await submit(router, { request_id: "mine" });
  const service = { authorization: `Bearer ${router.keys.service}` };
  expect((await submit(router, { request_id: "mine" }, service)).status).toBe(200);
  await expectTrouble(await submit(router, { request_id: "mine" }), {
    code: "REQUEST_ID_TAKEN",
    says: /^you already have a job with the request_id mine$/,
    param: "request_id",
  });
  await Promise.all([overJob(router, "mine"), overJob(router, "mine", service)]);
});

test("a job that the worker itself refuses is failed, with the worker's words as its result", async () => {
  const { router } = await openScene({ behaviour: error(400, "max_tokens is too large") });
  const job = await overJob(router, await submittedId(await submit(router)));
  expect(job).toMatchObject({
    status: "failed",
    error: { code: "INVALID_REQUEST", message: "the worker answered 400: see result" },
    result: { error: { message: "max_tokens is too large", code: 400 } },
    attempts: [{ outcome: "answered", failure: "answered 400" }],
  });
});

test("a job whose workers die is failed, and tells of every attempt", async () => {
  const { router } = await openScene({ workers: 2, behaviour: destroyBeforeHeaders });
  const job = await overJob(router, await submittedId(await submit(router)));
  expect(job).toMatchObject({ status: "failed", result: null, error: { code: "WORKER_FAILED" } });
  expect(job.attempts).toHaveLength(4);
  expect(new Set(job.attempts.map(({ worker_id }) => worker_id)).size).toBe(2);
  expect(job.attempts.every(({ outcome }) => outcome === "broken")).toBe(true);
});

test("a job that outlasts its timeout is failed", async () => {
  const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
  const job = await overJob(router, await submittedId(await submit(router, { timeout: 50 })));
  expect(job).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
  await stub.nextAbort();
});

test("a job that waits says so, and runs when its turn has come", async () => {
  const { behaviour, release } = held();
  const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour });
  await submit(router, { request_id: "first" });
  const second = await (await submit(router, { request_id: "second" })).json();
  const waiting = { status: "queued", worker_id: null, gpu_id: null };
  expect(second).toMatchObject({ ...waiting, queue_position: 1 });
  const third = await (await submit(router, { request_id: "third" })).json();
  expect(third).toMatchObject({ ...waiting, queue_position: 2, estimated_start_time: null });
  const rejected_by = { filter: "free_slot", permanent: false };
  expect(await (await readJob(router, "third")).json()).toMatchObject({
    queue_position: 2,
    decision: { chosen: null, candidates: [{ worker_id: "worker-1", rejected_by }] },
  });
  release();
  const over = await overJob(router, "third");
  expect(over).toMatchObject({ status: "completed", queue_position: null });
  expect(stub.requests).toHaveLength(3);
});

test("a job fails when its queue_timeout is over before its turn has come", async () => {
  const { router, stub } = await openScene({
    worker: { slots: 1 },
    behaviour: hangBeforeHeaders,
  });
  await submit(router, { request_id: "first" });
  const second = await submittedId(await submit(router, { queue_timeout: 30 }));
  const job = await overJob(router, second);
  expect(job).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
  expect([job.started_at, stub.requests.length]).toEqual([null, 1]);
  await cancelJob(router, "first");
});

test("a job's timeout counts from its sending, not from its submission", async () => {
  const { router } = await openScene({
    worker: { slots: 1 },
    behaviour: inTurn(hangBeforeHeaders, json()),
  });
  await submit(router, { request_id: "first", timeout: 400 });
  await submit(router, { request_id: "second", timeout: 300 });
  expect(await overJob(router, "second")).toMatchObject({ status: "completed" });
  expect(await overJob(router, "first")).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
});

test("where nothing may wait, a job that nobody can take now is refused, and not kept", async () => {
  const { router, stub } = await openScene({
    worker: { slots: 1 },
    config: { queue: { max_requests: 0 } },
    behaviour: hangBeforeHeaders,
  });
  await submit(router, { request_id: "first", timeout: 300 });
  const refused = await submit(router, { request_id: "second" });
  expect(refused.headers.get("retry-after")).toBe("1");
  await expectTrouble(refused, { code: "QUEUE_FULL", says: /^every slot for stub-model is taken/ });
  expect((await readJob(router, "second")).status).toBe(404);
  expect(stub.requests).toHaveLength(1);
  // Its id is free again.
  await overJob(router, "first");
  expect((await submit(router, { request_id: "second", timeout: 50 })).status).toBe(200);
  await overJob(router, "second");
});

test("a refused job has its line in the log, like every routed request", async () => {
  const { router } = await openScene();
  await submit(router, { model_id: "gpt-9" });
  const [line] = await router.requestLines(1);
  const expected = { status: 404, errorCode: "MODEL_NOT_FOUND", workerId: null, attempts: 0 };
  expect(line?.fields).toMatchObject(expected);
});

test("a job that never left the queue keeps no decision, which would fill the memory", async () => {
  const { behaviour, release } = held();
  const { router } = await openScene({ worker: { slots: 1 }, behaviour });
  await submit(router, { request_id: "first" });
  await submit(router, { request_id: "second" });
  expect(await (await cancelJob(router, "second")).json()).toMatchObject({ decision: null });
  release();
  await overJob(router, "first");
});
