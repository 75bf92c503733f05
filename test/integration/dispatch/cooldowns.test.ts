import { expect, test } from "vitest";
import { Arrivals } from "../../support/arrivals.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { error, json } from "../../support/stub-behaviours.ts";
import type { Exchange } from "../../support/stub-behaviours.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";
const FAILURES_IN_A_ROW = 5;

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
  stub.always(json());
  const answers = await Promise.all(Array.from({ length: 10 }, () => router.post(PATH, CHAT)));
  for (const answer of answers) expect(answer.status).toBe(200);
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
