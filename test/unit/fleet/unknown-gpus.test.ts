import { describe, expect, test } from "vitest";
import { workerSpec } from "../../support/fleet-builders.ts";
import { FakeSource, setUpPoller } from "./poller-setup.ts";

/** What was logged of workers whose GPUs nobody reports. */
function told(lines: readonly { readonly message: string; readonly fields: object }[]): object[] {
  const unknown = lines.filter(({ message }) => message === "gpus of worker not reported");
  return unknown.map(({ fields }) => fields);
}

const onNode1 = workerSpec("node1");

describe("a worker whose GPUs no monitor reports", () => {
  test("is named with the ids that are unknown, once", async () => {
    const monitor = new FakeSource();
    monitor.reports("a", "b");
    const workers = [{ ...onNode1, gpus: ["a", "x", "y"] }];
    const { poller, lines, clock } = setUpPoller({ sources: [monitor], workers });
    await poller.start();
    await clock.advanceAsync(15_000);
    expect(told(lines)).toEqual([
      {
        workerId: "node1",
        problem:
          "no monitor reports GPU x, y: correct workers[].gpus (GET /api/v1/gpus lists the ids); " +
          "until then its temperature and memory are not known",
      },
    ]);
  });

  test("is named where gpus: auto finds no monitor on its host", async () => {
    const elsewhere = new FakeSource("monitor", "node9");
    elsewhere.reports("a");
    const workers = [{ ...onNode1, gpus: "auto" as const }];
    const { poller, lines } = setUpPoller({ sources: [elsewhere], workers });
    await poller.start();
    expect(told(lines)).toEqual([
      {
        workerId: "node1",
        problem:
          "gpus: auto finds none, since no monitor runs on its host node1: name its GPUs in " +
          "workers[].gpus (GET /api/v1/gpus lists the ids), or set [] if nobody reports them",
      },
    ]);
  });

  test.each([
    ["all are reported", ["a"]],
    ["it has none", []],
    ["the monitor runs on its host", "auto" as const],
  ])("is not named where %s", async (_, gpus) => {
    const monitor = new FakeSource();
    monitor.reports("a");
    const { poller, lines } = setUpPoller({ sources: [monitor], workers: [{ ...onNode1, gpus }] });
    await poller.start();
    expect(told(lines)).toEqual([]);
  });

  test("is not named while there is no monitor, or one does not answer, which may know them", async () => {
    const workers = [{ ...onNode1, gpus: ["x"] }];
    const without = setUpPoller({ workers });
    await without.poller.start();
    expect(told(without.lines)).toEqual([]);

    const [one, two] = [new FakeSource("one"), new FakeSource("two", "node2")];
    one.reports("a");
    two.fails();
    const { poller, lines, clock } = setUpPoller({ sources: [one, two], workers });
    await poller.start();
    expect(told(lines)).toEqual([]);
    two.reports("b");
    await clock.advanceAsync(5000);
    expect(told(lines)).toHaveLength(1);
  });

  test("is not named where its card was reported and is gone: that is said in other words", async () => {
    const monitor = new FakeSource();
    monitor.reports("a", "b");
    const workers = [{ ...onNode1, gpus: ["b"] }];
    const { poller, lines, clock } = setUpPoller({ sources: [monitor], workers });
    await poller.start();
    monitor.reports("a");
    await clock.advanceAsync(15_000);
    expect(lines.map(({ message }) => message)).toContain("gpu no longer reported");
    expect(told(lines)).toEqual([]);
  });
});

test("a monitor that reports no GPU at all is a problem of that machine, told once", async () => {
  const { poller, lines, clock } = setUpPoller({ sources: [new FakeSource()] });
  await poller.start();
  await clock.advanceAsync(15_000);
  expect(lines.filter(({ message }) => message === "gpu source problem")).toEqual([
    {
      level: "warn",
      message: "gpu source problem",
      fields: {
        source: "monitor",
        problem:
          "it reports no GPU: see on that machine whether nvidia-smi lists any; until then " +
          "workers are routed without temperatures and memory",
      },
    },
  ]);
});
