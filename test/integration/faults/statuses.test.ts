import { expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { inTurn, openScene, sentTo } from "../../support/router-scene.ts";
import * as stub from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

/** Statuses that workers answer with; numbers as in the fault catalogue. */

const PATH = "/v1/chat/completions";
const QUICK = { request_router: { retry_delay: 0.001 } };
/** A retry that waits would miss the deadline: what succeeds was tried again at once. */
const AT_ONCE = { request_router: { retry_delay: 60 } };

test.each([500, 502, 504, 507])(
  "F13 %i is tried on up to three other workers, and then the client's 502",
  async (status) => {
    const behaviour = stub.error(status, "CUDA error");
    const { router, stubs } = await openScene({ workers: 5, behaviour, config: QUICK });
    const answer = await router.post(PATH, CHAT);
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain(`answered ${status}`);
    expect(answer.headers.get("x-route-attempts")).toBe("4");
    expect(stubs.map(({ requests }) => requests.length).toSorted((a, b) => a - b)).toEqual([
      0, 1, 1, 1, 1,
    ]);
    expect(await router.attemptClasses()).toEqual({ failure: 4 });
  },
);

test.each([500, 502, 504])("F13 %i from the only worker is tried there again", async (status) => {
  const behaviour = inTurn(stub.error(status, "CUDA error"), stub.json());
  const { router } = await openScene({ behaviour, config: QUICK });
  const answer = await router.post(PATH, CHAT);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-route-attempts")).toBe("2");
});

const RETRY_AFTERS: readonly (readonly [how: string, sent: string, told: RegExp])[] = [
  ["seconds", "7", /^7$/],
  ["a date in 20 s", new Date(Date.now() + 20_000).toUTCString(), /^(?:1\d|20)$/],
  ["a date in a year", new Date(Date.now() + 3e10).toUTCString(), /^30$/],
  ["a date long past", "Wed, 21 Oct 2015 07:28:00 GMT", /^0$/],
  ["garbage", "soon", /^1$/],
  ["a billion", "1000000000", /^30$/],
  ["exponents", "1e9", /^1$/],
  ["a negative number", "-5", /^1$/],
];

test.each(RETRY_AFTERS)(
  "F14 a Retry-After of %s is told as 0 to 30 s",
  async (_how, sent, told) => {
    for (const status of [429, 503]) {
      const behaviour = stub.error(status, "busy", { "retry-after": sent });
      const { router, stubs } = await openScene({ workers: 2, behaviour, config: AT_ONCE });
      const answer = await router.post(PATH, CHAT);
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toMatch(told);
      expect(sentTo(stubs)).toBe(2);
      expect(await router.attemptClasses()).toEqual({ neutral: 2 });
    }
  },
);

test.each([
  [429, "30"],
  [503, "1000000000"],
  [429, "garbage"],
])("F14 a worker that answers %i is left alone until its Retry-After (%s)", async (...row) => {
  const [status, retryAfter] = row;
  const load_balancer = { strategy: "round_robin" };
  const { router, stubs } = await openScene({ workers: 2, config: { ...AT_ONCE, load_balancer } });
  stubs[0]!.always(stub.error(status, "busy", { "retry-after": retryAfter }));
  for (let count = 0; count < 10; count++) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  expect(stubs[0]!.requests).toHaveLength(1);
  expect(await router.attemptClasses()).toEqual({ success: 10, neutral: 1 });
  expect(router.logs.filter(({ message }) => message === "worker cooling down")).toEqual([]);
});

test("F14 a worker that was busy gets requests again once its Retry-After is over", async () => {
  const load_balancer = { strategy: "round_robin" };
  const { router, stubs } = await openScene({ workers: 2, config: { ...AT_ONCE, load_balancer } });
  stubs[0]!.next(stub.error(429, "busy", { "retry-after": "1" }));
  const served = async (): Promise<number> => {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
    return stubs[0]!.requests.length;
  };
  await expect.poll(served, SOON).toBe(2);
  // It was neutral: the one after is no lonely probe.
  await expect.poll(served, SOON).toBeGreaterThan(5);
});

test.each([400, 413, 422])(
  "F15 %i passes through, once, and speaks for the worker",
  async (status) => {
    const body = `{"object":"error","message":"n must be 1","code":${status}}`;
    const behaviour = stub.respond({ status, body });
    const { router, stubs } = await openScene({ workers: 2, behaviour });
    for (const chat of [CHAT, STREAMED_CHAT]) {
      const answer = await router.post(PATH, chat);
      expect(answer.status).toBe(status);
      expect(await answer.text()).toBe(body);
    }
    expect(sentTo(stubs)).toBe(2);
    expect(await router.attemptClasses()).toEqual({ success: 2 });
  },
);

test("F15 404 drops the model from that worker, is tried elsewhere, and speaks for the worker", async () => {
  const noModel = stub.error(404, "The model `stub-model` does not exist.");
  const behaviour = inTurn(noModel, stub.json());
  const { router, stubs } = await openScene({ workers: 2, behaviour, config: AT_ONCE });
  for (let count = 0; count < 5; count++) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  expect(stubs.map(({ requests }) => requests.length).toSorted((a, b) => a - b)).toEqual([1, 5]);
  expect(await router.attemptClasses()).toEqual({ success: 6 });
});

test("F16 out of memory before the first byte is tried on another worker, unseen by the client", async () => {
  const behaviour = inTurn(stub.error(500, "CUDA out of memory"), stub.json(), stub.stream());
  const { router, stubs } = await openScene({ workers: 2, behaviour, config: QUICK });
  expect(await sendLive(router).text()).toContain("hello from the stub");
  expect(stubs.map(({ requests }) => requests.length)).toEqual([1, 1]);
  expect(await sendLive(router, { body: STREAMED_CHAT }).text()).toContain("[DONE]");
  expect(await router.attemptClasses()).toEqual({ failure: 1, success: 2 });
});
