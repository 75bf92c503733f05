import { describe, expect, test } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { gpuReading, workerSpec } from "../../support/fleet-builders.ts";
import { FakeSource, setUpPoller } from "./poller-setup.ts";

const never = () => new Promise<never>(() => undefined);

describe("starting", () => {
  test("brings the first facts of sources and workers", async () => {
    const source = new FakeSource();
    source.reports("a");
    const { poller, fleet } = setUpPoller({ sources: [source], workers: [workerSpec("node1")] });
    await poller.start();
    const { gpus, sources, workers } = fleet.snapshot();
    expect([...gpus.keys()]).toEqual(["a"]);
    expect(sources).toMatchObject([{ name: "monitor", host: "node1", lastSuccessAtMs: 0 }]);
    expect(workers).toMatchObject([{ state: "up" }]);
  });

  test("asks at once a worker that a GPU reports", async () => {
    const source = new FakeSource();
    const endpoint = "http://node9:8000";
    source.onPoll = () => ({ gpus: [gpuReading("a", { endpoint })], problems: [] });
    const { poller, fleet } = setUpPoller({ sources: [source], workerHosts: ["node9"] });
    await poller.start();
    expect(fleet.snapshot().workers).toMatchObject([{ id: "node9:8000", state: "up" }]);
  });

  test("does not wait for the retries of a dead source", async () => {
    const source = new FakeSource();
    source.fails();
    const { poller, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    expect(source.polls).toBe(1);
    expect(fleet.snapshot().sources[0]?.failure).toBe("connection refused");
  });

  test("does not wait longer than one update interval for anyone", async () => {
    const source = new FakeSource();
    source.onPoll = never;
    const { poller, clock } = setUpPoller({ sources: [source] });
    let started = false;
    void poller.start().then(() => (started = true));
    await clock.advanceAsync(4999);
    expect(started).toBe(false);
    await clock.advanceAsync(1);
    expect(started).toBe(true);
  });

  test("checks the health of the GPUs it found", async () => {
    const source = new FakeSource();
    source.reports("a", "b");
    const { poller } = setUpPoller({ sources: [source] });
    await poller.start();
    await settle();
    expect(source.healthAsked).toEqual(["a", "b"]);
  });
});

describe("each update interval", () => {
  test("polls every source and asks the load of every worker that is up", async () => {
    const sources = [new FakeSource("one"), new FakeSource("two")];
    const workers = [workerSpec("node1"), workerSpec("node2")];
    const { poller, clock, asked } = setUpPoller({ sources, workers });
    await poller.start();
    asked.length = 0;
    await clock.advanceAsync(10_000);
    expect(sources.map(({ polls }) => polls)).toEqual([3, 3]);
    const round = ["node1 load", "node2 load"];
    expect(asked).toEqual([...round, ...round]);
  });

  test("settles the speeds", async () => {
    const { poller, fleet, clock } = setUpPoller({});
    await poller.start();
    const before = fleet.snapshot().version;
    await clock.advanceAsync(5000);
    expect(fleet.snapshot().version).toBe(before + 1);
  });

  test("is spread by 10 % either way", async () => {
    const roundsIn = async (random: number, ms: number) => {
      const source = new FakeSource();
      const { poller, clock } = setUpPoller({ sources: [source], random: () => random });
      await poller.start();
      await clock.advanceAsync(ms);
      return source.polls - 1;
    };
    expect(await roundsIn(0, 4499)).toBe(0);
    expect(await roundsIn(0, 4501)).toBe(1);
    expect(await roundsIn(0.9999, 5490)).toBe(0);
    expect(await roundsIn(0.9999, 5500)).toBe(1);
  });
});

describe("each health check interval", () => {
  test("asks every worker for its facts and every GPU for its health", async () => {
    const source = new FakeSource();
    source.reports("a");
    const workers = [workerSpec("node1")];
    const { poller, clock, asked } = setUpPoller({ sources: [source], workers });
    await poller.start();
    await clock.advanceAsync(59_999);
    expect(asked.filter((question) => question === "node1 facts")).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(asked.filter((question) => question === "node1 facts")).toHaveLength(2);
    expect(source.healthAsked).toEqual(["a", "a"]);
  });
});

describe("closing", () => {
  test("stops all timers, and ignores answers that come later", async () => {
    const source = new FakeSource();
    const late = Promise.withResolvers<void>();
    const { poller, fleet, clock, told } = setUpPoller({
      sources: [source],
      workers: [workerSpec("node1")],
    });
    source.onPoll = () => late.promise.then(() => ({ gpus: [gpuReading("a")], problems: [] }));
    told.facts = () => late.promise.then(() => ({ models: ["llama"] }));
    const started = poller.start();
    poller.check(0);
    await settle();
    await poller.close();
    late.resolve();
    await started;
    expect(clock.pendingTimers).toBe(0);
    expect(fleet.snapshot().gpus.size).toBe(0);
    expect(fleet.snapshot().workers).toMatchObject([{ state: "starting" }]);
  });

  test("stops the retries of a failed source", async () => {
    const source = new FakeSource();
    source.fails();
    const { poller, clock } = setUpPoller({ sources: [source] });
    await poller.start();
    await poller.close();
    await clock.advanceAsync(60_000);
    expect(source.polls).toBe(1);
  });
});
