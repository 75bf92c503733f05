import { describe, expect, test } from "vitest";
import { WorkerUnreachable, type Answer } from "../../../src/fleet/engines/engine.ts";
import { engines } from "../../../src/fleet/engines/engines.ts";
import type { EngineName } from "../../../src/fleet/worker.ts";
import { settle } from "../../support/fake-clock.ts";
import { workerSpec } from "../../support/fleet-builders.ts";
import { setUpPoller } from "./poller-setup.ts";

const HEALTH_ROUND_MS = 60_000;
const MODELS = JSON.stringify({ data: [{ id: "llama" }] });

/** A worker of a real engine that answers, refuses or is loading, and holds `leases` of ours. */
function setUp(engine: EngineName) {
  const asked: string[] = [];
  const now = { leases: 0, answer: ok };
  const { poller, clock, worker } = setUpPoller({
    workers: [workerSpec("node1", { engine })],
    engines,
    askWorker(_, path) {
      asked.push(path);
      return now.answer(path);
    },
    ownLeases: () => now.leases,
    polls: {
      updateIntervalMs: 10 * HEALTH_ROUND_MS,
      healthCheckIntervalMs: HEALTH_ROUND_MS,
    },
  });
  /** What was asked in one health round, long before the next update round. */
  const round = async (): Promise<readonly string[]> => {
    asked.length = 0;
    await clock.advanceAsync(HEALTH_ROUND_MS);
    return asked.filter((path) => path === "/v1/models");
  };
  return { poller, worker, now, round };
}

const ok = (path: string): Promise<Answer> =>
  Promise.resolve({ status: 200, text: path === "/props" ? '{"total_slots":4}' : MODELS });
const refuse = (): Promise<Answer> => Promise.reject(new WorkerUnreachable("connection refused"));

describe.each(["llamacpp", "openai"] as const)("a worker of the engine %s", (engine) => {
  test("is not asked for its facts while it runs our requests, and is when it is idle", async () => {
    const { poller, worker, now, round } = setUp(engine);
    await poller.start();
    expect(worker()).toMatchObject({ state: "up" });
    now.leases = 1;
    expect(await round()).toEqual([]);
    now.leases = 0;
    expect(await round()).toHaveLength(1);
  });

  test("is asked whatever it runs while it is starting", async () => {
    const { poller, worker, now, round } = setUp(engine);
    now.answer = refuse;
    now.leases = 1;
    await poller.start();
    expect(worker()).toMatchObject({ state: "starting" });
    now.answer = ok;
    expect(await round()).not.toEqual([]);
    expect(worker()).toMatchObject({ state: "up" });
  });

  test("is asked whatever it runs while it is down", async () => {
    const { poller, worker, now, round } = setUp(engine);
    await poller.start();
    now.answer = refuse;
    poller.check(0);
    await settle();
    expect(worker()).toMatchObject({ state: "down" });
    now.answer = ok;
    now.leases = 1;
    expect(await round()).not.toEqual([]);
    expect(worker()).toMatchObject({ state: "up" });
  });
});

test.each(["vllm", "sglang"] as const)(
  "a worker of the engine %s is asked even while it runs our requests",
  async (engine) => {
    const { poller, now, round } = setUp(engine);
    await poller.start();
    now.leases = 1;
    expect(await round()).not.toEqual([]);
  },
);
