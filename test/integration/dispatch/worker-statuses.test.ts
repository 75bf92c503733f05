import { describe, expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { inTurn, openScene, sentTo } from "../../support/router-scene.ts";
import * as stub from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";
const QUICK = { request_router: { retry_delay: 0.001 } };

async function errorOf(answer: Response): Promise<{ code: string; message: string }> {
  return ((await answer.json()) as { error: { code: string; message: string } }).error;
}

describe("the worker's own refusals", () => {
  test.each([400, 409, 413, 422, 402, 405, 415, 451])(
    "%i passes through unchanged and is not tried elsewhere",
    async (status) => {
      const body = `{"object":"error", "message":"n must be 1", "code":${status}}`;
      const headers = { "content-type": "application/problem+json" };
      const behaviour = stub.respond({ status, body, headers });
      const { router, stubs } = await openScene({ workers: 2, behaviour });
      for (const chat of [CHAT, STREAMED_CHAT]) {
        const answer = await router.post(PATH, chat);
        expect(answer.status).toBe(status);
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
        expect(await answer.text()).toBe(body);
      }
      expect(sentTo(stubs)).toBe(2);
    },
  );

  test.each([401, 403])("%i is tried elsewhere at once", async (status) => {
    const behaviour = inTurn(stub.error(status, "who are you?"), stub.json());
    const config = { request_router: { retry_delay: 60 } };
    const { router, stubs } = await openScene({ workers: 2, behaviour, config });
    expect((await router.post(PATH, CHAT)).status).toBe(200);
    expect(stubs.map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  test("401 from every worker is 502 with the setting to look at", async () => {
    const behaviour = stub.unauthorized;
    const { router, stubs } = await openScene({ workers: 2, behaviour, config: QUICK });
    const answer = await router.post(PATH, CHAT);
    expect(answer.status).toBe(502);
    const { code, message } = await errorOf(answer);
    expect(code).toBe("WORKER_FAILED");
    expect(message).toMatch(/worker-[12]: worker refused our key \(401\): check its api_key_env/);
    expect(sentTo(stubs)).toBe(2);
  });
});

describe("404", () => {
  const noModel = stub.error(404, "The model `stub-model` does not exist.");

  async function modelsOf(router: TestRouter): Promise<string> {
    return (await router.get("/v1/models")).text();
  }

  test("about the model is tried elsewhere, and drops the model from that worker", async () => {
    const behaviour = inTurn(noModel, stub.json());
    const { router, stubs } = await openScene({ workers: 2, behaviour });
    for (let count = 0; count < 6; count++) {
      expect((await router.post(PATH, CHAT)).status).toBe(200);
    }
    expect(stubs.map(({ requests }) => requests.length).toSorted((a, b) => a - b)).toEqual([1, 6]);
  });

  test("about the model from every worker reaches the client; then nobody is asked", async () => {
    const { router, stubs } = await openScene({ workers: 2, behaviour: noModel });
    const first = await router.post(PATH, CHAT);
    expect(first.status).toBe(404);
    expect(await first.text()).toContain("does not exist");
    const second = await router.post(PATH, CHAT);
    expect(second.status).toBe(404);
    expect((await errorOf(second)).code).toBe("MODEL_NOT_FOUND");
    expect(await modelsOf(router)).not.toContain("stub-model");
    expect(sentTo(stubs)).toBe(2);
  });

  test("about the model counts until the worker is asked for its models again", async () => {
    const gpu_monitoring = { health_check_interval: 0.02 };
    const behaviour = inTurn(noModel, stub.json());
    const { router } = await openScene({ behaviour, config: { gpu_monitoring } });
    expect((await router.post(PATH, CHAT)).status).toBe(404);
    await expect.poll(() => modelsOf(router), SOON).toContain("stub-model");
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  });

  test("about the path is tried elsewhere, and says nothing about the model", async () => {
    const noPath = stub.respond({ status: 404, body: '{"detail":"Not Found"}' });
    const { router, stubs } = await openScene({ workers: 2, behaviour: noPath });
    for (let count = 1; count <= 2; count++) {
      const answer = await router.post(PATH, CHAT);
      expect(answer.status).toBe(404);
      expect(await answer.text()).toBe('{"detail":"Not Found"}');
      expect(sentTo(stubs)).toBe(2 * count);
    }
  });
});

describe.each([408, 429, 503])("%i", (status) => {
  const busy = (retryAfter?: string) =>
    stub.error(status, "busy", retryAfter === undefined ? {} : { "retry-after": retryAfter });

  test("is tried elsewhere at once", async () => {
    const config = { request_router: { retry_delay: 60 } };
    const behaviour = inTurn(busy("5"), stub.json());
    const { router, stubs } = await openScene({ workers: 2, behaviour, config });
    expect((await router.post(PATH, CHAT)).status).toBe(200);
    expect(stubs.map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  test.each([
    ["the worker's seconds", "7", "7"],
    ["an hour, cut to what a client can be asked for", "3600", "30"],
    ["0", "0", "0"],
    ["nonsense", "soon", "1"],
    ["a negative number", "-5", "1"],
    ["a date long past", "Wed, 21 Oct 2015 07:28:00 GMT", "0"],
    ["nothing", undefined, "1"],
  ])("from every worker is 503; Retry-After: %s", async (_case, sent, told) => {
    const behaviour = busy(sent);
    const { router, stubs } = await openScene({ workers: 2, behaviour, config: QUICK });
    const answer = await router.post(PATH, CHAT);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe(told);
    expect(await errorOf(answer)).toMatchObject({
      code: "NO_GPU_AVAILABLE",
      message: expect.stringMatching(`worker-[12] answered ${status}`),
    });
    expect(sentTo(stubs)).toBe(2);
  });
});

test.each([301, 302, 303, 307, 308])("a %i redirect is never followed", async (status) => {
  const target = await openScene();
  const headers = { location: `${target.stub.url}/v1/chat/completions` };
  const behaviour = stub.respond({ status, body: "{}", headers });
  const config = { request_router: { retry_delay: 0.001, max_retries: 1 } };
  const { router, stubs } = await openScene({ workers: 2, behaviour, config });
  const live = sendLive(router);
  expect(await live.text()).toContain(`answered ${status}`);
  const { statusCode, headers: told } = await live.head();
  expect(statusCode).toBe(502);
  expect(told).not.toHaveProperty("location");
  expect(sentTo(stubs)).toBe(2);
  expect(target.stub.requests).toHaveLength(0);
});

test.each([0, 1, 3])(
  "max_retries %i is that many further attempts, no more",
  async (maxRetries) => {
    const config = { request_router: { retry_delay: 0.001, max_retries: maxRetries } };
    const behaviour = stub.error(500, "out of memory");
    const { router, stubs } = await openScene({ workers: 5, behaviour, config });
    const answer = await router.post(PATH, CHAT);
    expect(answer.status).toBe(502);
    expect(answer.headers.get("x-route-attempts")).toBe(String(maxRetries + 1));
    expect(sentTo(stubs)).toBe(maxRetries + 1);
    expect(Math.max(...stubs.map(({ requests }) => requests.length))).toBe(1);
  },
);

test("a lone worker is tried again itself", async () => {
  const behaviour = inTurn(stub.error(500, "out of memory"), stub.json());
  const { router, stub: lone } = await openScene({ behaviour, config: QUICK });
  const answer = await router.post(PATH, CHAT);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-route-attempts")).toBe("2");
  expect(lone.requests).toHaveLength(2);
});

test("no retry is begun that the deadline would end", async () => {
  const config = { request_router: { retry_delay: 60 } };
  const behaviour = stub.error(500, "out of memory");
  const { router, stub: lone } = await openScene({ behaviour, config });
  const answer = await router.post(PATH, CHAT, { "x-timeout-ms": "5000" });
  expect(answer.status).toBe(502);
  expect(await errorOf(answer)).toMatchObject({
    message: "the attempt failed; worker-1: answered 500",
  });
  expect(lone.requests).toHaveLength(1);
});
