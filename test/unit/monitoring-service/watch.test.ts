import { expect, test } from "vitest";
import { readGpus } from "../../../src/fleet/sources/read-gpus.ts";
import { NOTHING_YET, type NvidiaSmi } from "../../../src/fleet/sources/nvidia-smi.ts";
import type { Log, LogFn } from "../../../src/log.ts";
import { watchSource } from "../../../src/monitoring-service/watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { reportedGpu } from "../../support/stub-monitoring-service.ts";

function setUp() {
  const clock = new FakeClock();
  const lines: { readonly fields: object; readonly message: string }[] = [];
  const keep: LogFn = (fields, message) => lines.push({ fields, message });
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  const state = { failure: null as string | null, problems: [] as string[], polls: 0, wakesAt: 0 };
  const source = {
    driverVersion: "590.48.01",
    poll: async () => {
      state.polls += 1;
      if (state.polls < state.wakesAt) throw new Error(NOTHING_YET);
      if (state.failure !== null) throw new Error(state.failure);
      const { gpus } = readGpus({ gpus: [reportedGpu("GPU-1", { name: "Tesla T4" })] });
      return { gpus, problems: state.problems };
    },
  } as unknown as NvidiaSmi;
  const start = () => watchSource({ source, clock, log, routerConfig: "gpu_monitoring: {}" });
  return { clock, lines, state, start };
}

test("the first line tells the GPUs, the driver, and what the router's config needs", async () => {
  const { lines, start } = setUp();
  await start().told;
  expect(lines).toEqual([
    {
      message: "gpus found",
      fields: {
        gpus: ["Tesla T4 (GPU-1)"],
        driver: "590.48.01",
        routerConfig: "gpu_monitoring: {}",
      },
    },
  ]);
});

test("a fault is told when it comes, and again when it goes, not at each look", async () => {
  const { clock, lines, state, start } = setUp();
  state.failure = "nvidia-smi not found";
  const watch = start();
  await watch.told;
  await clock.advanceAsync(60_000);
  expect(lines.map(({ message }) => message)).toEqual(["no telemetry, trying again"]);
  state.failure = null;
  await clock.advanceAsync(60_000);
  state.failure = "no devices";
  await clock.advanceAsync(60_000);
  expect(lines.map(({ message }) => message)).toEqual([
    "no telemetry, trying again",
    "gpus found",
    "no telemetry, trying again",
  ]);
  watch.stop();
  expect(clock.pendingTimers).toBe(0);
});

test("a driver that wakes up gets a few polls before it is told", async () => {
  for (const [wakesAt, says] of [
    [6, "gpus found"],
    [7, "no telemetry, trying again"],
  ] as const) {
    const { lines, state, start } = setUp();
    state.wakesAt = wakesAt;
    await start().told;
    expect(lines.map(({ message }) => message)).toEqual([says]);
    expect(state.polls).toBe(6);
  }
});

test("a problem is told once", async () => {
  const { clock, lines, state, start } = setUp();
  state.problems = ["GPU-1: MIG is on"];
  await start().told;
  await clock.advanceAsync(60_000);
  expect(lines.map(({ message }) => message)).toEqual(["gpus found", "gpu problem"]);
});
