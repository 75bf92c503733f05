import { describe, expect, test } from "vitest";
import { Abandonment } from "../../../src/dispatch/routed-request.ts";
import { RouterError } from "../../../src/errors.ts";
import { settle } from "../../support/fake-clock.ts";
import { answers, ends, setStage, type Step } from "./route-setup.ts";

const good = answers(200);
const unsent = ends({ kind: "unreachable", failure: "connection refused" });

/** An attempt that ends when it is told. */
function held() {
  const { promise, resolve } = Promise.withResolvers<typeof good>();
  const step: Step = () => promise;
  return { step, finish: () => resolve(good) };
}

describe("a request that finds every slot taken", () => {
  test("waits, and is sent in the tick in which a slot becomes free", async () => {
    const { send, take, tried, queued, queue, clock } = setStage({
      workers: 1,
      slots: 1,
      steps: [good],
    });
    const other = take(0);
    const end = send();
    await clock.advanceAsync(1200);
    expect([queue.size, queued, tried]).toEqual([1, ["req-1"], []]);
    other.release();
    expect(queue.size).toBe(0);
    expect(await end).toMatchObject({ status: 200, queueMs: 1200 });
  });

  test("goes before those who came later, also where these ask in the same tick", async () => {
    const first = held();
    const order: string[] = [];
    const note: Step = ({ request }) => {
      order.push(request.id);
      return good;
    };
    const { send } = setStage({ workers: 1, slots: 1, steps: [first.step, note, note] });
    const sent = [send({ id: "a" }), send({ id: "b" })];
    first.finish();
    sent.push(send({ id: "c" }));
    await Promise.all(sent);
    expect(order).toEqual(["b", "c"]);
  });

  test("is gone at once when its client goes, and never sent", async () => {
    const { send, take, tried, queue, reservations, clock } = setStage({
      workers: 1,
      slots: 1,
      steps: [],
    });
    const other = take(0);
    const abandonment = new Abandonment();
    const end = send({ abandonment });
    await clock.advanceAsync(700);
    abandonment.abandon("client_gone");
    expect(queue.size).toBe(0);
    expect(await end).toMatchObject({ status: 499, queueMs: 700 });
    other.release();
    expect(tried).toEqual([]);
    expect(reservations).toEqual([{ sent: false, tokens: null }]);
  });

  test("gets 504 at its deadline where workers were only full, and is not sent after it", async () => {
    const { send, take, tried, told, clock } = setStage({ workers: 1, slots: 1, steps: [] });
    const other = take(0);
    const end = send({ deadlineAtMs: 5000 });
    await clock.advanceAsync(5000);
    const { error, queueMs } = await end;
    expect(queueMs).toBe(5000);
    expect(told).toEqual(["504 DEADLINE_EXCEEDED after 0"]);
    expect(error?.retryAfterMs).toBe(1000);
    expect(error?.message).toMatch(/no slot became free within 5 s: .*worker-0.*1 of 1/);
    other.release();
    expect(tried).toEqual([]);
  });

  test("gets 503 at its deadline where every worker was cooling, with the reasons", async () => {
    const { send, clock, cooldowns } = setStage({ workers: 1, maxRetries: 0, steps: [] });
    for (let i = 0; i < 5; i++) {
      cooldowns.ended(0, { class: "failure", failure: "it broke", wasProbe: false });
    }
    expect(cooldowns.began(0)).toBe(true);
    const end = send({ deadlineAtMs: 5000 });
    await clock.advanceAsync(5000);
    const { error } = await end;
    expect(error).toMatchObject({ code: "NO_GPU_AVAILABLE" });
    expect(error?.message).toContain("it broke");
  });

  test("waits no more for whoever hears of its decision", async () => {
    const places: unknown[] = [];
    const stage = setStage({
      workers: 1,
      slots: 1,
      steps: [good],
      onDecision: (request) => void places.push(stage.turns.placeOf(request)),
    });
    const other = stage.take(0);
    const end = stage.send();
    other.release();
    await end;
    expect(places).toEqual([null, null]);
  });
});

describe("a job's timeout", () => {
  test("counts from its first attempt, whatever the wait was", async () => {
    let deadlineAtMs = 0;
    const look: Step = ({ request }) => {
      ({ deadlineAtMs } = request);
      return good;
    };
    const { send, take, clock } = setStage({ workers: 1, slots: 1, steps: [look] });
    const other = take(0);
    const end = send({ deadlineAtMs: 60_000, timeoutMs: 1000 });
    await clock.advanceAsync(40_000);
    other.release();
    await end;
    expect(deadlineAtMs).toBe(41_000);
  });
});

describe("a user at their gpu_limit", () => {
  test("may share the worker that they hold, and waits for no other", async () => {
    const [a, b] = [held(), held()];
    const { send, tried } = setStage({ workers: 2, gpuLimit: 1, steps: [a.step, b.step] });
    const sent = [send({ id: "a" }), send({ id: "b" })];
    await settle();
    expect(tried).toHaveLength(2);
    expect(new Set(tried).size).toBe(1);
    a.finish();
    b.finish();
    await Promise.all(sent);
  });

  test("waits while others pass, and goes on when one of their places is free", async () => {
    const mine = held();
    const order: string[] = [];
    const note: Step = ({ request }) => {
      order.push(request.id);
      return good;
    };
    const steps = [mine.step, note, note];
    const { send, queue } = setStage({ workers: 2, slots: 1, gpuLimit: 1, steps });
    const sent = [send({ id: "a1" }), send({ id: "a2" })];
    await settle();
    expect([queue.size, order]).toEqual([1, []]);
    sent.push(send({ id: "b1", user: "bob" }));
    await settle();
    expect(order).toEqual(["b1"]);
    mine.finish();
    await Promise.all(sent);
    expect(order).toEqual(["b1", "a2"]);
  });

  test("whose limit is 0 is refused for good", async () => {
    const { send, told } = setStage({ gpuLimit: 0, steps: [] });
    const { error } = await send();
    expect(told).toEqual(["422 NO_GPU_FITS after 0"]);
    expect(error?.message).toContain("alice may use 0 GPUs (gpu_limit)");
  });
});

describe("a reservation", () => {
  test("keeps its unit where a worker saw the request, and gives it back where none did", async () => {
    const seen = setStage({ steps: [good] });
    await seen.send();
    expect(seen.reservations).toEqual([{ sent: true, tokens: null }]);
    const unseen = setStage({ maxRetries: 0, steps: [unsent] });
    await unseen.send();
    expect(unseen.reservations).toEqual([{ sent: false, tokens: null }]);
  });

  test("is settled with the tokens that the worker reported", async () => {
    const usage = { promptTokens: 7, completionTokens: 5 };
    const { send, reservations } = setStage({ steps: [{ ...good, usage }] });
    await send();
    expect(reservations).toEqual([{ sent: true, tokens: 12 }]);
  });

  test("that is refused costs nothing, and nothing is sent", async () => {
    const quotaError = new RouterError("QUOTA_EXCEEDED", "used up", { retryAfterMs: 1000 });
    const { send, told, reservations } = setStage({ quotaError, steps: [] });
    expect(await send()).toMatchObject({ status: 429, error: quotaError });
    expect(told).toEqual(["429 QUOTA_EXCEEDED after 0"]);
    expect(reservations).toEqual([]);
  });

  test("is not asked for what can never be served: that is said first", async () => {
    const quotaError = new RouterError("QUOTA_EXCEEDED", "used up");
    const { send, told } = setStage({ quotaError, steps: [] });
    await send({ model: "unknown" });
    expect(told).toEqual(["404 MODEL_NOT_FOUND after 0"]);
  });

  test("that was taken beforehand is given back where the request is refused", async () => {
    const given: unknown[] = [];
    const reservation = { end: (end: unknown) => void given.push(end) };
    const { send, reservations } = setStage({ steps: [] });
    await send({ model: "unknown", reservation });
    expect(given).toEqual([{ sent: false, tokens: null }]);
    expect(reservations).toEqual([]);
  });
});
