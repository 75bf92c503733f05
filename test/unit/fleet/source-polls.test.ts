import { describe, expect, test } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { gpuReading } from "../../support/fleet-builders.ts";
import { FakeSource, setUpPoller } from "./poller-setup.ts";

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `gpu-${index}`);
}

describe("a source that fails", () => {
  test("is polled again after the delay, as often as allowed within the interval", async () => {
    const source = new FakeSource();
    source.fails();
    const { poller, clock } = setUpPoller({ sources: [source] });
    await poller.start();
    await clock.advanceAsync(999);
    expect(source.polls).toBe(1);
    await clock.advanceAsync(1);
    expect(source.polls).toBe(2);
    await clock.advanceAsync(3999);
    expect(source.polls).toBe(4);
  });

  test("starts its retries anew with each interval, whatever is allowed", async () => {
    const source = new FakeSource();
    source.fails();
    const retry = { maxRetries: 99, delayMs: 2000 };
    const { poller, clock } = setUpPoller({ sources: [source], polls: { retry } });
    await poller.start();
    await clock.advanceAsync(4999);
    expect(source.polls).toBe(3);
    await clock.advanceAsync(1);
    expect(source.polls).toBe(4);
    await clock.advanceAsync(1999);
    expect(source.polls).toBe(4);
  });

  test("keeps its GPUs, and another source goes on", async () => {
    const [one, two] = [new FakeSource("one"), new FakeSource("two")];
    one.reports("a");
    two.reports("b");
    const { poller, clock, fleet } = setUpPoller({ sources: [one, two] });
    await poller.start();
    one.fails();
    two.reports("b", "c");
    await clock.advanceAsync(5000);
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["a", "b", "c"]);
    expect(fleet.snapshot().sources).toMatchObject([
      { failure: "connection refused", lastSuccessAtMs: 0 },
      { failure: null, lastSuccessAtMs: 5000 },
    ]);
  });

  test("is well again with the first retry that works", async () => {
    const source = new FakeSource();
    source.fails();
    const { poller, clock, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    source.reports("a");
    await clock.advanceAsync(1000);
    expect(fleet.snapshot().sources).toMatchObject([{ failure: null, lastSuccessAtMs: 1000 }]);
    await clock.advanceAsync(3999);
    expect(source.polls).toBe(2);
  });
});

describe("a source that is slow", () => {
  test("never has two polls under way", async () => {
    const source = new FakeSource();
    const answers: (() => void)[] = [];
    source.onPoll = () =>
      new Promise((resolve) => answers.push(() => resolve({ gpus: [], problems: [] })));
    const { poller, clock } = setUpPoller({ sources: [source] });
    void poller.start();
    await clock.advanceAsync(20_000);
    expect(source.polls).toBe(1);
    answers[0]?.();
    await clock.advanceAsync(5000);
    expect(source.polls).toBe(2);
  });
});

describe("a source that suddenly reports less than half of its GPUs", () => {
  test("is asked a second time before it is believed", async () => {
    const source = new FakeSource();
    source.reports(...ids(5));
    const { poller, clock, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    source.reports("gpu-0", "gpu-1");
    await clock.advanceAsync(5000);
    expect(fleet.snapshot().gpus.size).toBe(5);
    await clock.advanceAsync(1000);
    expect(fleet.snapshot().gpus.size).toBe(2);
  });

  test("is not believed if it takes that back", async () => {
    const source = new FakeSource();
    source.reports(...ids(5));
    const { poller, clock, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    source.reports();
    await clock.advanceAsync(5000);
    source.reports(...ids(5));
    await clock.advanceAsync(1000);
    expect(fleet.snapshot().gpus.size).toBe(5);
    source.reports();
    await clock.advanceAsync(4000);
    expect(fleet.snapshot().gpus.size).toBe(5);
  });

  test("is believed with the next round where there are no retries", async () => {
    const source = new FakeSource();
    source.reports("a");
    const retry = { maxRetries: 0, delayMs: 1000 };
    const { poller, clock, fleet } = setUpPoller({ sources: [source], polls: { retry } });
    await poller.start();
    source.reports();
    await clock.advanceAsync(5000);
    expect(fleet.snapshot().gpus.size).toBe(1);
    await clock.advanceAsync(5000);
    expect(fleet.snapshot().gpus.size).toBe(0);
  });

  test("is believed at once if it is only half", async () => {
    const source = new FakeSource();
    source.reports(...ids(4));
    const { poller, clock, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    source.reports("gpu-0", "gpu-1");
    await clock.advanceAsync(5000);
    expect(fleet.snapshot().gpus.size).toBe(2);
  });
});

describe("a problem in what a source reports", () => {
  test("is logged once, however often it is reported", async () => {
    const source = new FakeSource();
    source.onPoll = () => ({ gpus: [gpuReading("a")], problems: ["a: temperature is negative"] });
    const { poller, clock, lines } = setUpPoller({ sources: [source] });
    await poller.start();
    await clock.advanceAsync(20_000);
    const problems = lines.filter(({ message }) => message === "gpu source problem");
    expect(problems.map(({ fields }) => fields)).toEqual([
      { source: "monitor", problem: "a: temperature is negative" },
    ]);
  });
});

describe("the health of GPUs", () => {
  test("is asked for eight of them at a time", async () => {
    const source = new FakeSource();
    source.reports(...ids(20));
    const answers: (() => void)[] = [];
    source.onHealth = () => new Promise((resolve) => answers.push(() => resolve(null)));
    const { poller } = setUpPoller({ sources: [source] });
    await poller.start();
    await settle();
    expect(source.healthAsked).toHaveLength(8);
    answers[0]?.();
    await settle();
    expect(source.healthAsked).toHaveLength(9);
  });

  test("goes into the snapshot", async () => {
    const source = new FakeSource();
    source.reports("a");
    source.onHealth = () => Promise.resolve({ status: "critical", errors: ["XID 79"] });
    const { poller, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    await settle();
    expect(fleet.snapshot().gpus.get("a")?.health?.status).toBe("critical");
  });

  test("of one GPU that fails is a problem, and the others are asked", async () => {
    const source = new FakeSource();
    source.reports("a", "b");
    source.onHealth = (id) =>
      id === "a" ? Promise.reject(new Error("answered 500")) : Promise.resolve(null);
    const { poller, lines } = setUpPoller({ sources: [source] });
    await poller.start();
    await settle();
    expect(source.healthAsked).toEqual(["a", "b"]);
    expect(lines.at(-1)?.fields).toEqual({ source: "monitor", problem: "answered 500" });
  });

  test("is given up for this round when nothing answers", async () => {
    const source = new FakeSource();
    source.reports(...ids(1000));
    source.onHealth = () => Promise.reject(new Error("timed out"));
    const { poller, clock } = setUpPoller({ sources: [source] });
    await poller.start();
    await clock.advanceAsync(1000);
    expect(source.healthAsked.length).toBeLessThan(32);
  });

  test("is asked next round from where this one was given up, so that each has its turn", async () => {
    const source = new FakeSource();
    source.reports(...ids(40));
    source.onHealth = (id) =>
      ids(30).includes(id) ? Promise.reject(new Error("answered 500")) : Promise.resolve(null);
    const { poller, clock } = setUpPoller({ sources: [source] });
    await poller.start();
    await settle();
    const first = source.healthAsked.splice(0);
    expect(first).toEqual(ids(first.length));
    await clock.advanceAsync(60_000);
    await settle();
    expect(source.healthAsked[0]).toBe(`gpu-${first.length}`);
    expect(new Set([...first, ...source.healthAsked])).toEqual(new Set(ids(40)));
  });
});

describe("health that comes with the poll", () => {
  test("counts at once, and is taken back by the next", async () => {
    const source = new FakeSource();
    const verdict = { status: "critical", errors: ["XID 79"] } as const;
    const gpus = [gpuReading("a"), gpuReading("b")];
    const told = (health: Map<string, typeof verdict | null>) => {
      source.onPoll = () => ({ gpus, problems: [], health });
      source.onHealth = (id) => Promise.resolve(health.get(id) ?? null);
    };
    told(new Map([["b", verdict]]));
    const { poller, clock, fleet } = setUpPoller({ sources: [source] });
    await poller.start();
    expect(fleet.snapshot().gpus.get("b")?.health).toEqual(verdict);
    expect(fleet.snapshot().gpus.get("a")?.health).toBeNull();
    told(new Map([["b", null]]));
    await clock.advanceAsync(5050);
    expect(fleet.snapshot().gpus.get("b")?.health).toBeNull();
  });
});
