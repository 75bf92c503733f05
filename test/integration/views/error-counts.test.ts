import { expect, test } from "vitest";
import { overJob, submit, submitBatch, submittedId } from "../../support/job-api.ts";
import { CHAT, STREAMED_CHAT } from "../../support/live-request.ts";
import { sendRaw } from "../../support/raw-http.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyMidStream, error, held } from "../../support/stub-behaviours.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";

/** The series of a metric with one label, without those at 0. */
async function counts(router: TestRouter, name: string): Promise<Readonly<Record<string, number>>> {
  const lines = (await router.metricsText()).matchAll(
    new RegExp(String.raw`^${name}\{\w+="(\w+)"\} (\d+)$`, "gm"),
  );
  const all = [...lines].map(([, label = "", value]) => [label, Number(value)] as const);
  return Object.fromEntries(all.filter(([, value]) => value > 0));
}

const errors = (router: TestRouter) => counts(router, "router_errors_total");

test("an error of a routed request counts once", async () => {
  const { router } = await openScene();
  await router.post(PATH, { ...CHAT, model: "nobody-has-it" });
  await router.requestLines(1);
  expect(await errors(router)).toEqual({ MODEL_NOT_FOUND: 1 });
});

test("a stream that breaks counts, though its status was 200", async () => {
  const { router, stub } = await openScene();
  stub.next(destroyMidStream());
  await (await router.post(PATH, STREAMED_CHAT)).text();
  await router.requestLines(1);
  expect(await errors(router)).toEqual({ WORKER_FAILED: 1 });
});

test("a job that is refused at once counts once, as the answer that it was", async () => {
  const { router } = await openScene();
  expect((await submit(router, { model_id: "nobody-has-it" })).status).toBe(404);
  await router.requestLines(1);
  expect(await errors(router)).toEqual({ MODEL_NOT_FOUND: 1 });
});

test("a job that fails later counts once, when it does", async () => {
  const { router, stub } = await openScene({ config: { request_router: { max_retries: 0 } } });
  stub.next(error(500, "out of memory"));
  await overJob(router, await submittedId(await submit(router)));
  await router.requestLines(1);
  expect(await errors(router)).toEqual({ WORKER_FAILED: 1 });
});

test("a batch that is refused counts once, whatever its size", async () => {
  const { router } = await openScene();
  const items = Array.from({ length: 5 }, () => ({ model_id: "nobody-has-it" }));
  expect((await submitBatch(router, items)).status).toBe(404);
  expect(await errors(router)).toEqual({ MODEL_NOT_FOUND: 1 });
});

test("what is refused before it is routed counts by its code", async () => {
  const { router } = await openScene();
  await router.post(PATH, CHAT, { authorization: "Bearer nobody-has-this" });
  await router.get("/v1/no-such-route");
  await router.post(PATH, "no JSON");
  await router.get("/api/v1/gpus/no-such-gpu");
  await router.get("/api/v1/metrics");
  expect(await errors(router)).toEqual({
    UNAUTHORIZED: 1,
    ROUTE_NOT_FOUND: 1,
    INVALID_REQUEST: 1,
    GPU_NOT_FOUND: 1,
    FORBIDDEN: 1,
  });
});

test("what is not even HTTP counts as a bad request", async () => {
  const { router } = await openScene();
  expect((await sendRaw(router.port, "this is not HTTP\r\n\r\n")).status).toBe(400);
  expect(await errors(router)).toEqual({ INVALID_REQUEST: 1 });
});

test("quotas that are used up count by their limit: requests, jobs and batches alike", async () => {
  const users = [{ id: "user", request_limit: 2 }];
  const { router } = await openScene({ config: { users } });
  await (await router.post(PATH, CHAT)).text();
  await (await router.post(PATH, CHAT)).text();
  expect((await router.post(PATH, CHAT)).status).toBe(429);
  expect((await submit(router)).status).toBe(429);
  expect((await submitBatch(router, [{}, {}])).status).toBe(429);
  await router.requestLines(4);
  expect(await counts(router, "router_quota_refusals_total")).toEqual({ request_limit: 3 });
  expect(await errors(router)).toEqual({ QUOTA_EXCEEDED: 3 });
});

test("the answers of workers are no errors of the router", async () => {
  const { router, stub } = await openScene();
  stub.next(error(422, "no such field"));
  expect((await router.post(PATH, CHAT)).status).toBe(422);
  await router.requestLines(1);
  expect(await errors(router)).toEqual({});
});

test("decisions that found nobody count by the filters that turned workers away", async () => {
  const { behaviour, release } = held();
  const { router, stubs } = await openScene({
    workers: 2,
    worker: { slots: 1 },
    config: { queue: { max_requests: 0 } },
    behaviour,
  });
  const running = [router.post(PATH, CHAT), router.post(PATH, CHAT)];
  await Promise.all(stubs.map((stub) => stub.seen(1)));
  expect((await router.post(PATH, CHAT)).status).toBe(503);
  release();
  for (const answer of await Promise.all(running)) expect(answer.status).toBe(200);
  expect(await counts(router, "router_rejections_total")).toEqual({ free_slot: 1 });
  expect(await errors(router)).toEqual({ QUEUE_FULL: 1 });
});
