import { expect, test } from "vitest";
import { overJob, submit } from "../support/job-api.ts";
import { CHAT, STREAMED_CHAT } from "../support/live-request.ts";
import { inTurn, openScene } from "../support/router-scene.ts";
import { destroyBeforeHeaders, json, stream } from "../support/stub-behaviours.ts";

const chat = "/v1/chat/completions";
const ms = expect.any(Number) as number;

test("every routed request has one line, with its way and its times", async () => {
  const { router } = await openScene();
  await router.post(chat, CHAT, { "x-request-id": "one", "x-priority": "5" });
  const lines = await router.requestLines(1);
  expect(lines).toHaveLength(1);
  expect(lines[0]?.level).toBe("info");
  expect(lines[0]?.fields).toEqual({
    requestId: "one",
    user: "user",
    path: chat,
    model: "stub-model",
    band: 5,
    stream: false,
    status: 200,
    errorCode: null,
    workerId: "worker-1",
    gpuId: "worker-1",
    attempts: 1,
    queueMs: 0,
    firstByteMs: ms,
    totalMs: ms,
    promptTokens: 5,
    completionTokens: 4,
  });
  const { firstByteMs, totalMs } = lines[0]!.fields as Record<string, number>;
  expect(firstByteMs).toBeGreaterThan(0);
  expect(totalMs).toBeGreaterThanOrEqual(firstByteMs!);
});

test("a stream has one line too, when it is over", async () => {
  const { router } = await openScene({ behaviour: stream() });
  await (await router.post(chat, STREAMED_CHAT)).text();
  const [line] = await router.requestLines(1);
  expect(line?.fields).toMatchObject({ stream: true, status: 200, completionTokens: 3 });
});

test("a request that was tried twice has one line, with the worker that answered it", async () => {
  const { router } = await openScene({
    workers: 2,
    behaviour: inTurn(destroyBeforeHeaders, json()),
  });
  const answer = await router.post(chat, CHAT);
  const lines = await router.requestLines(1);
  const workerId = answer.headers.get("x-worker-id");
  expect(lines.map(({ fields }) => fields)).toMatchObject([{ attempts: 2, workerId, status: 200 }]);
  expect(answer.headers.get("x-route-attempts")).toBe("2");
});

test("a request that nobody takes has one line, with its error", async () => {
  const { router } = await openScene();
  await router.post(chat, { ...CHAT, model: "gpt-9" });
  const [line] = await router.requestLines(1);
  expect(line?.fields).toMatchObject({
    status: 404,
    errorCode: "MODEL_NOT_FOUND",
    workerId: null,
    gpuId: null,
    attempts: 0,
    firstByteMs: null,
    totalMs: ms,
  });
});

test("a job has one line, under its own id and its user", async () => {
  const { router } = await openScene();
  const service = { authorization: `Bearer ${router.keys.service}` };
  await submit(router, { request_id: "job", user_id: "ann" }, service);
  await overJob(router, "job", service);
  const lines = await router.requestLines(1);
  expect(lines).toHaveLength(1);
  expect(lines[0]?.fields).toMatchObject({
    requestId: "job",
    user: "ann",
    status: 200,
    path: chat,
  });
});
