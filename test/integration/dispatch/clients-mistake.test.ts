import { expect, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { error, json } from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";

const PATH = "/v1/chat/completions";
const POISON = { ...CHAT, max_tokens: "abc" };

/** Engines answer 500 to a field of the wrong type. */
const choosy: Behaviour = (exchange) =>
  exchange.request.body.includes('"max_tokens":"abc"')
    ? error(500, "Internal Server Error")(exchange)
    : json()(exchange);

/** Beyond what the share of failures, and five failures in a row, would need. */
test.each([5, 20])("%i requests that no worker can digest take none out", async (count) => {
  const load_balancer = { strategy: "round_robin" };
  const request_router = { retry_delay: 0.001 };
  const { router, stubs } = await openScene({
    workers: 2,
    behaviour: choosy,
    config: { load_balancer, request_router },
  });
  expect((await router.post(PATH, CHAT)).status).toBe(200);
  for (let sent = 0; sent < count; sent++) {
    expect((await router.post(PATH, POISON)).status).toBe(502);
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  expect(router.logs.filter(({ message }) => message === "worker cooling down")).toEqual([]);
  for (const stub of stubs) {
    expect(stub.requests.some(({ body }) => !body.includes("abc"))).toBe(true);
  }
});

test("a worker that answers 500 where the other answers well is still taken out", async () => {
  const load_balancer = { strategy: "round_robin" };
  const request_router = { retry_delay: 0.001 };
  const { router, stubs } = await openScene({
    workers: 2,
    behaviour: choosy,
    config: { load_balancer, request_router },
  });
  stubs[0]!.always(error(500, "CUDA out of memory"));
  for (let sent = 0; sent < 20; sent++) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  const cooling = router.logs.filter(({ message }) => message === "worker cooling down");
  expect(cooling).toHaveLength(1);
  expect(stubs[0]!.requests).toHaveLength(5);
});
