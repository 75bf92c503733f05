import { describe, expect, test } from "vitest";
import { Arrivals } from "../../support/arrivals.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyBeforeHeaders, error, json } from "../../support/stub-behaviours.ts";
import type { Exchange } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";
const FAILURES_IN_A_ROW = 5;
const BRIEF = { "x-timeout-ms": "300" };

function messages(router: TestRouter, message: string): number {
  return router.logs.filter((line) => line.message === message).length;
}

function reasonsToCool({ logs }: TestRouter): unknown[] {
  const cooling = logs.filter(({ message }) => message === "worker cooling down");
  return cooling.map(({ fields }) => fields["reason"]);
}

/** Asks until one request is let through to the worker, where it is held. */
async function heldProbe(
  router: TestRouter,
  held: Arrivals<Exchange>,
): Promise<{ readonly answer: Promise<Response> }> {
  const arrived = held.seen(held.all.length + 1).then(() => null);
  for (;;) {
    const answer = router.post(PATH, CHAT);
    const refused = await Promise.race([answer, arrived]);
    if (refused === null) return { answer };
    expect(refused.status).toBe(503);
    await refused.arrayBuffer();
  }
}

test("a failing worker is out, then gets one probe at a time, and is back after two successes", async () => {
  const error_handler = { gpu_cooldown_period: 0.4 };
  const request_router = { max_retries: 0 };
  const { router, stub } = await openScene({
    config: { error_handler, request_router, queue: { max_requests: 0 } },
  });
  stub.always(error(500, "CUDA out of memory"));
  for (let count = 0; count < FAILURES_IN_A_ROW; count++) {
    expect((await router.post(PATH, CHAT)).status).toBe(502);
  }
  const refused = await router.post(PATH, CHAT);
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.text()).toMatch(/worker-1: cooling down for 1 s more: 5 requests in a row/);
  expect(stub.requests).toHaveLength(FAILURES_IN_A_ROW);

  const held = new Arrivals<Exchange>();
  stub.always((exchange) => held.add(exchange));
  for (let probe = 1; probe <= 2; probe++) {
    const { answer } = await heldProbe(router, held);
    const others = await Promise.all(Array.from({ length: 10 }, () => router.post(PATH, CHAT)));
    for (const other of others) {
      expect(other.status).toBe(503);
      expect(await other.text()).toContain("waiting for its probe to answer");
    }
    expect(held.all).toHaveLength(probe);
    expect(messages(router, "worker recovered from its cooldown")).toBe(0);
    await json()(held.all[probe - 1]!);
    expect((await answer).status).toBe(200);
  }

  expect(messages(router, "worker recovered from its cooldown")).toBe(1);
  for (let count = 0; count < 3; count++) {
    const { answer } = await heldProbe(router, held);
    const other = await router.post(PATH, CHAT);
    expect(other.status).toBe(503);
    expect(await other.text()).toContain("1 for now: it warms up after its cooldown");
    await json()(held.all.at(-1)!);
    expect((await answer).status).toBe(200);
  }
});

test("while it is the only one, a worker that cools for long is tried once a second", async () => {
  const request_router = { max_retries: 0, request_timeout: 20 };
  const { router, stub } = await openScene({ config: { request_router } });
  stub.next(...Array.from({ length: FAILURES_IN_A_ROW }, () => error(500, "out of memory")));
  for (let count = 0; count < FAILURES_IN_A_ROW; count++) await router.post(PATH, CHAT);
  const answers = await Promise.all(Array.from({ length: 10 }, () => router.post(PATH, CHAT)));
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  expect(messages(router, "worker recovered from its cooldown")).toBe(1);
});

test("early_recovery probes a worker as soon as its checks succeed", async () => {
  const { router, stubs } = await openScene({
    workers: 2,
    config: {
      error_handler: { early_recovery: true },
      gpu_monitoring: { update_interval: 0.05 },
      load_balancer: { strategy: "round_robin" },
      request_router: { retry_delay: 0.001 },
    },
  });
  const [failing] = stubs;
  failing!.next(...Array.from({ length: FAILURES_IN_A_ROW }, () => error(500, "out of memory")));
  while (messages(router, "worker cooling down") === 0) await router.post(PATH, CHAT);
  await expect
    .poll(() => messages(router, "worker is probed early: its checks succeed"), SOON)
    .toBe(1);
  while (messages(router, "worker recovered from its cooldown") === 0) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
});

describe("DELETE /api/v1/gpus/{gpu_id}/cooldown", () => {
  const clear = (router: TestRouter, id: string, key: string) =>
    fetch(`${router.url}/api/v1/gpus/${id}/cooldown`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${key}` },
    });

  test("lets an operator end a cooldown, for a request that waits as well", async () => {
    const error_handler = { gpu_cooldown_period: 300 };
    const config = { error_handler, request_router: { max_retries: 0, request_timeout: 20 } };
    const { router, stub } = await openScene({ config });
    stub.next(...Array.from({ length: FAILURES_IN_A_ROW }, () => error(500, "out of memory")));
    for (let count = 0; count < FAILURES_IN_A_ROW; count++) await router.post(PATH, CHAT);
    const waiting = router.post(PATH, CHAT);
    expect((await clear(router, "worker-1", router.keys.user)).status).toBe(403);
    const answer = await clear(router, "worker-1", router.keys.operator);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { gpu_id: "worker-1", cleared: ["worker-1"] },
    ]);
    expect((await waiting).status).toBe(200);
    expect(messages(router, "cooldown cleared by an operator")).toBe(1);
    const again = await clear(router, "worker-1", router.keys.admin);
    expect(await again.json()).toEqual({ gpu_id: "worker-1", cleared: [] });
  });

  test("names a GPU that is not known", async () => {
    const { router } = await openScene();
    const answer = await clear(router, "GPU-9", router.keys.operator);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("GPU_NOT_FOUND");
  });

  test("takes the id of a worker that has GPUs, and means it alone", async () => {
    const request_router = { max_retries: 0 };
    const worker = { gpus: ["GPU-1"] };
    const { router, stubs } = await openScene({ workers: 2, worker, config: { request_router } });
    for (const stub of stubs) stub.always(destroyBeforeHeaders);
    while (messages(router, "worker cooling down") < 2) await router.post(PATH, CHAT, BRIEF);
    const cleared = async (id: string) => (await clear(router, id, router.keys.operator)).json();
    expect(await cleared("worker-2")).toEqual({ gpu_id: "worker-2", cleared: ["worker-2"] });
    expect(await cleared("GPU-1")).toEqual({ gpu_id: "GPU-1", cleared: ["worker-1"] });
  });
});

test("a probe that fails begins the cooldown anew", async () => {
  const error_handler = { gpu_cooldown_period: 0.05 };
  const request_router = { max_retries: 0 };
  const { router, stub } = await openScene({
    config: { error_handler, request_router, queue: { max_requests: 0 } },
  });
  stub.always(error(500, "CUDA out of memory"));
  for (let count = 0; count < FAILURES_IN_A_ROW; count++) await router.post(PATH, CHAT);
  const held = new Arrivals<Exchange>();
  stub.always((exchange) => held.add(exchange));
  const { answer } = await heldProbe(router, held);
  await error(500, "still out of memory")(held.all[0]!);
  expect((await answer).status).toBe(502);
  expect(reasonsToCool(router)).toEqual([
    "5 requests in a row failed: answered 500",
    "probe failed: answered 500",
  ]);
});

test("a worker that always fails costs no client an error while another one works", async () => {
  const load_balancer = { strategy: "round_robin" };
  const request_router = { retry_delay: 0.001 };
  const { router, stubs } = await openScene({
    workers: 2,
    config: { load_balancer, request_router },
  });
  stubs[0]!.always(error(500, "CUDA out of memory"));
  for (let count = 0; count < 20; count++) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  expect(stubs[0]!.requests).toHaveLength(FAILURES_IN_A_ROW);
});
