import { describe, expect, test } from "vitest";
import { EngineNotReady, WorkerUnreachable } from "../../../src/fleet/engines/engine.ts";
import { engines } from "../../../src/fleet/engines/engines.ts";
import { settle } from "../../support/fake-clock.ts";
import { workerSpec } from "../../support/fleet-builders.ts";
import { setUpPoller } from "./poller-setup.ts";

const refused = () => Promise.reject(new WorkerUnreachable("connection refused"));
const loading = () => Promise.reject(new EngineNotReady("Loading model"));
const slow = () => Promise.reject(new Error("no complete answer within 2000 ms"));

async function startedWith(changes: Parameters<typeof setUpPoller>[0] = {}) {
  const all = setUpPoller({ workers: [workerSpec("node1")], ...changes });
  await all.poller.start();
  return all;
}

describe("a worker that was never up", () => {
  test.each([
    ["refuses", refused, "connection refused"],
    ["is loading", loading, "Loading model"],
    ["is slow", slow, "no complete answer within 2000 ms"],
  ])("and %s is starting, with the reason", async (_, facts, stateReason) => {
    const { told, poller, worker } = setUpPoller({ workers: [workerSpec("node1")] });
    told.facts = facts;
    await poller.start();
    expect(worker()).toMatchObject({ state: "starting", stateReason });
  });

  test("is asked again each update interval until it is up", async () => {
    const { told, poller, worker, clock, asked } = setUpPoller({ workers: [workerSpec("node1")] });
    told.facts = refused;
    await poller.start();
    await clock.advanceAsync(5000);
    expect(asked).toEqual(["node1 facts", "node1 facts"]);
    told.facts = () => Promise.resolve({ models: ["llama"], slots: 8 });
    await clock.advanceAsync(5000);
    expect(worker()).toMatchObject({ state: "up", stateReason: null, slots: 8 });
    expect([...(worker()?.models.keys() ?? [])]).toEqual(["llama"]);
  });

  test("is warned of once", async () => {
    const { told, poller, clock, lines } = setUpPoller({ workers: [workerSpec("node1")] });
    told.facts = refused;
    await poller.start();
    await clock.advanceAsync(20_000);
    expect(lines.map(({ message, fields }) => [message, fields])).toEqual([
      ["worker problem", { workerId: "node1", problem: "connection refused" }],
    ]);
  });
});

describe("a worker that was up", () => {
  test("and refuses when its load is asked is down, and its load forgotten", async () => {
    const { told, worker, clock, lines } = await startedWith();
    expect(worker()).toMatchObject({ state: "up", load: { active: 0 } });
    lines.length = 0;
    told.load = refused;
    await clock.advanceAsync(5000);
    expect(worker()).toMatchObject({
      state: "down",
      stateReason: "connection refused",
      load: null,
    });
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ["warn", "worker state changed"],
    ]);
  });

  test("and is down is asked again each update interval", async () => {
    const { told, worker, clock } = await startedWith();
    told.load = refused;
    told.facts = refused;
    await clock.advanceAsync(5000);
    told.facts = slow;
    await clock.advanceAsync(5000);
    expect(worker()).toMatchObject({ state: "down" });
    told.facts = () => Promise.resolve({ models: ["llama"] });
    told.load = () => Promise.resolve({ active: 1 });
    await clock.advanceAsync(5000);
    expect(worker()).toMatchObject({ state: "up", stateReason: null, load: { active: 1 } });
  });

  test("and is slow stays up: it may be busy", async () => {
    const { told, worker, clock } = await startedWith();
    told.load = slow;
    told.facts = slow;
    await clock.advanceAsync(60_000);
    expect(worker()).toMatchObject({ state: "up", stateReason: null });
  });

  test("and says that it is loading is starting again, with its words", async () => {
    const { told, worker, clock } = await startedWith();
    told.facts = loading;
    await clock.advanceAsync(60_000);
    expect(worker()).toMatchObject({ state: "starting", stateReason: "Loading model" });
  });
});

describe("the load of a worker", () => {
  test("comes with our own leases and the time at which the answer came", async () => {
    let own = 2;
    const { told, worker, clock } = await startedWith({ ownLeases: () => own });
    const answer = Promise.withResolvers<{ active: number }>();
    told.load = () => answer.promise;
    await clock.advanceAsync(5000);
    own = 5;
    await clock.advanceAsync(300);
    answer.resolve({ active: 9 });
    await settle();
    expect(worker()?.load).toMatchObject({ active: 9, ownAtPoll: 5 });
    expect(worker()?.load?.receivedAtMs).toBeGreaterThanOrEqual(5300);
  });

  test("is left as it was when the engine does not say", async () => {
    const { told, worker, clock } = await startedWith();
    told.load = () => Promise.resolve({});
    await clock.advanceAsync(5000);
    expect(worker()?.load).toMatchObject({ active: 0, receivedAtMs: 0 });
  });
});

describe("a worker that loads models on demand", () => {
  test("has none loaded until it says which", async () => {
    let loaded: readonly string[] | null = null;
    const askWorker = (_: unknown, path: string) => {
      if (path === "/api/tags") return answer({ models: [{ name: "llama" }] });
      if (loaded === null) return Promise.reject(new Error("slow"));
      return answer({ models: loaded.map((name) => ({ name })) });
    };
    const answer = (json: object) => Promise.resolve({ status: 200, text: JSON.stringify(json) });
    const workers = [workerSpec("node1", { engine: "ollama" })];
    const { worker, clock } = await startedWith({ workers, engines, askWorker });
    expect(worker()).toMatchObject({ state: "up", loadedModels: new Set() });
    loaded = ["llama"];
    await clock.advanceAsync(5000);
    expect(worker()?.loadedModels).toEqual(new Set(["llama"]));
  });
});

describe("a check out of turn", () => {
  test("asks this worker at once, and not again within a second", async () => {
    const { poller, asked, clock, told, worker } = await startedWith();
    asked.length = 0;
    told.facts = refused;
    for (let failure = 0; failure < 100; failure++) poller.check(0);
    await settle();
    expect(asked).toEqual(["node1 facts"]);
    poller.check(0);
    await settle();
    expect(asked).toEqual(["node1 facts"]);
    expect(worker()).toMatchObject({ state: "down" });
    await clock.advanceAsync(1000);
    poller.check(0);
    await settle();
    expect(asked).toEqual(["node1 facts", "node1 facts"]);
  });

  test("of a worker that does not exist asks nobody", async () => {
    const { poller, asked } = await startedWith();
    asked.length = 0;
    poller.check(7);
    await settle();
    expect(asked).toEqual([]);
  });
});

describe("a worker that does not answer", () => {
  test("is not asked again while it is being asked", async () => {
    const { told, poller, clock, asked } = setUpPoller({ workers: [workerSpec("node1")] });
    told.facts = () => new Promise(() => undefined);
    void poller.start();
    await clock.advanceAsync(120_000);
    expect(asked).toEqual(["node1 facts"]);
  });
});

describe("many workers", () => {
  test("are asked sixteen at a time", async () => {
    const workers = Array.from({ length: 40 }, (_, index) => workerSpec(`node${index}`));
    const { told, poller, clock, asked } = setUpPoller({ workers });
    const answers: (() => void)[] = [];
    told.facts = () => new Promise((resolve) => answers.push(() => resolve({ models: ["llama"] })));
    void poller.start();
    await clock.advanceAsync(15_000);
    expect(asked).toHaveLength(16);
    answers[0]?.();
    await settle();
    expect(asked.filter((question) => question.endsWith("facts"))).toHaveLength(17);
  });
});
