import { describe, expect, test } from "vitest";
import { workerSpec } from "../../support/fleet-builders.ts";
import { FakeSource, setUpPoller } from "./poller-setup.ts";

const CONFIG = { maxTemperatureC: 85, updateIntervalMs: 5000, workerHosts: [] };

describe("workers after a reload", () => {
  const node1 = workerSpec("node1");

  test("keep their index and what is known of them, where only settings changed", async () => {
    const { poller, fleet, worker } = setUpPoller({ workers: [node1] });
    await poller.start();
    expect(worker()).toMatchObject({ index: 0, state: "up", slots: 256 });
    fleet.reconfigure({ ...CONFIG, workers: [{ ...node1, slots: 3, apiKey: "k" }] });
    expect(worker()).toMatchObject({ index: 0, state: "up", slots: 3, apiKey: "k" });
  });

  test.each([
    ["at another URL", { url: "http://elsewhere:8000" }],
    ["with another engine", { engine: "openai" as const }],
  ])("F50 %s are others: an index and a placement of their own, not yet up", async (_, change) => {
    const { poller, fleet, worker } = setUpPoller({ workers: [node1] });
    await poller.start();
    const before = worker();
    fleet.reconfigure({ ...CONFIG, workers: [{ ...node1, ...change }] });
    expect(worker()).toMatchObject({ id: "node1", index: 1, state: "starting" });
    fleet.reconfigure({ ...CONFIG, workers: [node1] });
    // It has its number back, since its last requests may still run, and must show that it is up.
    expect(worker()).toMatchObject({ index: before?.index, state: "starting" });
  });

  test("are all asked at once, those that are new and those that were known", async () => {
    const { poller, fleet, asked, clock } = setUpPoller({ workers: [node1] });
    await poller.start();
    asked.length = 0;
    fleet.reconfigure({ ...CONFIG, workers: [node1, workerSpec("node2")] });
    poller.reconfigured();
    await clock.advanceAsync(0);
    expect(asked.filter((question) => question.endsWith(" facts"))).toEqual([
      "node1 facts",
      "node2 facts",
    ]);
  });

  test("are not asked after the close", async () => {
    const { poller, asked, clock } = setUpPoller({ workers: [node1] });
    await poller.start();
    await poller.close();
    asked.length = 0;
    poller.reconfigured();
    await clock.advanceAsync(60_000);
    expect(asked).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("sources after a reload", () => {
  test("go on as they were, come and go, without a restart of the others", async () => {
    const [kept, removed, added] = [
      new FakeSource("kept"),
      new FakeSource("removed"),
      new FakeSource("added"),
    ];
    kept.reports("a");
    removed.reports("b");
    added.reports("c");
    const now = [kept, removed];
    const { poller, fleet, clock } = setUpPoller({ sources: now });
    await poller.start();
    now.splice(1, 1, added);
    poller.reconfigured();
    await clock.advanceAsync(0);
    const { gpus, sources } = fleet.snapshot();
    expect([...gpus.keys()]).toEqual(["a", "c"]);
    expect(sources.map(({ name }) => name)).toEqual(["kept", "added"]);
    const polls = removed.polls;
    await clock.advanceAsync(20_000);
    expect(removed.polls).toBe(polls);
    expect(added.polls).toBeGreaterThan(1);
  });

  test("with another token keep their GPUs until they have answered", async () => {
    const [old, next] = [new FakeSource("monitor"), new FakeSource("monitor")];
    old.reports("a");
    const answer = Promise.withResolvers<{ gpus: []; problems: [] }>();
    next.onPoll = () => answer.promise;
    const now = [old];
    const { poller, fleet, clock } = setUpPoller({ sources: now });
    await poller.start();
    now.splice(0, 1, next);
    poller.reconfigured();
    await clock.advanceAsync(0);
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["a"]);
    next.reports("b");
    await clock.advanceAsync(6000);
    answer.resolve({ gpus: [], problems: [] });
    await clock.advanceAsync(12_000);
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["b"]);
  });

  test("are polled by the new interval at once, and retried by the new policy", async () => {
    const source = new FakeSource();
    source.fails();
    const polls = { updateIntervalMs: 3_600_000, retry: { maxRetries: 0, delayMs: 1 } };
    const { poller, clock } = setUpPoller({ sources: [source], polls });
    await poller.start();
    expect(source.polls).toBe(1);
    Object.assign(polls, { updateIntervalMs: 10_000, retry: { maxRetries: 1, delayMs: 100 } });
    poller.reconfigured();
    await clock.advanceAsync(100);
    expect(source.polls).toBe(3);
    await clock.advanceAsync(10_000);
    expect(source.polls).toBe(5);
  });

  test("are not begun before the start", async () => {
    const source = new FakeSource();
    const { poller, clock } = setUpPoller({ sources: [source] });
    poller.reconfigured();
    await clock.advanceAsync(20_000);
    expect(source.polls).toBe(0);
  });
});
