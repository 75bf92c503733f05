import { describe, expect, test } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { answers, COOLDOWN_MS, ends, setStage, type Step } from "./route-setup.ts";

const good = answers(200);
const unsent = ends({ kind: "unreachable", failure: "connection refused" });
const failed = { class: "connection", failure: "refused", wasProbe: false } as const;

/** All workers cool down, worker 1 for a second longer than worker 0, and so on. */
function setOutage(
  steps: readonly Step[],
  {
    workers = 2,
    ...options
  }: { readonly workers?: number; readonly slots?: number; readonly maxRetries?: number } = {},
) {
  const stage = setStage({ workers, steps, ...options });
  const { clock, cooldowns, turns } = stage;
  for (let worker = 0; worker < workers; worker++) {
    for (let i = 0; i < 3; i++) cooldowns.ended(worker, failed);
    clock.advance(1000);
  }
  /** As the dispatcher does, four times a second. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 250) {
      await clock.advanceAsync(250);
      turns.lookAgain();
      await settle();
    }
  };
  return { ...stage, pass };
}

describe("while every worker of a model cools down", () => {
  test("one request a second is tried, on the worker that is due soonest", async () => {
    const steps = Array<Step>(80).fill(unsent);
    const { send, tried, pass } = setOutage(steps, { workers: 3, maxRetries: 0 });
    for (let i = 0; i < 20; i++) void send({ id: `r-${i}`, deadlineAtMs: 60_000 });
    await settle();
    expect(tried).toEqual([0]);
    await pass(4000);
    // A probe that fails lets its worker cool anew, so that the next is due soonest.
    expect(tried).toEqual([0, 1, 2, 0, 1]);
    await pass(60_000);
  });

  test("a probe that succeeds is followed by the second at once, and then by all", async () => {
    const { send, tried, pass, cooldowns } = setOutage(Array<Step>(4).fill(good));
    const ended = ["a", "b", "c", "d"].map((id) => send({ id }));
    await settle();
    await pass(3000);
    await Promise.all(ended);
    expect(cooldowns.isCooling(0)).toBe(false);
    expect(tried).toEqual([0, 0, 0, 0]);
  });

  test("no second probe is sent to a worker while its first is under way", async () => {
    const gate = Promise.withResolvers<typeof good>();
    const steps: Step[] = [() => gate.promise, good];
    const { send, tried, pass } = setOutage(steps, { workers: 1 });
    const [first, second] = [send({ id: "a" }), send({ id: "b" })];
    await pass(5000);
    expect(tried).toEqual([0]);
    gate.resolve(good);
    await first;
    await pass(1000);
    await second;
    expect(tried).toEqual([0, 0]);
  });

  test("a worker whose slots are still held keeps the probe from no other", async () => {
    const { send, tried, take, pass } = setOutage([good], { slots: 1 });
    const hung = take(0);
    const end = send();
    await pass(500);
    await end;
    expect(tried).toEqual([1]);
    hung.release();
  });

  test("probes of dead workers do not use up a request's attempts", async () => {
    const steps = [...Array<Step>(6).fill(unsent), good];
    const { send, pass } = setOutage(steps, { workers: 1, maxRetries: 1 });
    const end = send({ deadlineAtMs: 30_000 });
    await pass(20_000);
    expect(await end).toMatchObject({ status: 200 });
  });

  test("at the deadline the error tells when the first cooldown ends", async () => {
    const { send, pass, told, cooldowns, clock } = setOutage([]);
    for (const worker of [0, 1]) expect(cooldowns.began(worker)).toBe(true);
    const end = send({ deadlineAtMs: clock.now() + 10_000 });
    await pass(10_500);
    const { error } = await end;
    expect(told).toEqual(["503 NO_GPU_AVAILABLE after 0"]);
    expect(error?.retryAfterMs).toBeGreaterThan(COOLDOWN_MS - 13_000);
    expect(error?.retryAfterMs).toBeLessThanOrEqual(COOLDOWN_MS);
  });
});

describe("no early probe is sent", () => {
  test("while a worker of the model is only full", async () => {
    const { send, tried, cooldowns, take, pass } = setStageWithFull();
    const end = send();
    await pass(3000);
    expect(tried).toEqual([]);
    expect(cooldowns.isCooling(0)).toBe(true);
    take.release();
    await end;
    expect(tried).toEqual([1]);
  });

  test("while a worker of the model only asked for a pause", async () => {
    const { send, tried, pass, cooldowns, turns, clock } = setOutage([good]);
    cooldowns.clear(1);
    cooldowns.ended(1, { ...failed, class: "neutral", pauseMs: 2000 });
    const end = send();
    await pass(1750);
    expect(tried).toEqual([]);
    clock.advance(250);
    turns.lookAgain();
    await end;
    expect(tried).toEqual([1]);
  });

  test("for a placement, which would show nothing", async () => {
    const { send, tried, pass } = setOutage([]);
    const end = send({ path: null, isPlacement: true, deadlineAtMs: 3000 });
    await pass(3000);
    await end;
    expect(tried).toEqual([]);
  });
});

/** Worker 0 cools, and the only slot of worker 1 is taken. */
function setStageWithFull() {
  const stage = setStage({ workers: 2, slots: 1, steps: [good] });
  for (let i = 0; i < 3; i++) stage.cooldowns.ended(0, failed);
  const pass = async (ms: number): Promise<void> => {
    await stage.clock.advanceAsync(ms);
    stage.turns.lookAgain();
    await settle();
  };
  return { ...stage, take: stage.take(1), pass };
}
