import { expect, onTestFinished, test } from "vitest";
import { sleep, systemClock } from "../../../../src/clock.ts";
import { createNvidiaSmi } from "../../../../src/fleet/sources/nvidia-smi.ts";
import type { PollResult } from "../../../../src/fleet/sources/source.ts";
import { firstRound } from "../../../support/fake-nvidia-smi.ts";
import { recordedNvidiaSmi } from "../../../support/recorded-nvidia-smi.ts";

interface Reading {
  readonly until?: (result: PollResult) => boolean;
  readonly unknownFields?: readonly string[];
}

/** Polls what was recorded. */
async function read(name: string, { until = () => true, unknownFields = [] }: Reading = {}) {
  const program = recordedNvidiaSmi(name, unknownFields);
  const { command } = program;
  const source = createNvidiaSmi({ name: "local", clock: systemClock, intervalMs: 50, command });
  onTestFinished(async () => {
    await source.close();
    program.remove();
  });
  await firstRound(source);
  for (;;) {
    const result = await source.poll();
    if (until(result)) return { ...result, source };
    await sleep(systemClock, 10);
  }
}

const hasProcesses = ({ gpus }: PollResult): boolean =>
  gpus.every(({ processes }) => processes !== null && processes.length > 0);

const MASKED = "GPU-00000000-0000-0000-0000-000000000000";
const MIB = 1024 * 1024;

/** What no nvidia-smi tells. */
const NEVER_KNOWN = { performanceIndex: null, errorRate: null, uptimeS: null, endpoint: null };

test("an H100 under load", async () => {
  const { gpus, problems, source } = await read("h100-590.48.01", { until: hasProcesses });
  expect(gpus).toEqual([
    {
      ...NEVER_KNOWN,
      id: MASKED,
      name: "NVIDIA H100 80GB HBM3",
      status: "busy",
      computeCapability: 9,
      memoryTotalBytes: 81_559 * MIB,
      memoryUsedBytes: 19_818 * MIB,
      memoryFreeBytes: 61_263 * MIB,
      utilization: 1,
      temperatureC: 59,
      powerUsageW: 631.95,
      powerLimitW: 700,
      processes: [
        { pid: 11_327, name: "/root/tools/memhog", memoryUsedBytes: 2566 * MIB },
        { pid: 11_328, name: "/root/tools/memhog", memoryUsedBytes: 1542 * MIB },
        { pid: 11_345, name: "./gpu_burn", memoryUsedBytes: 15_690 * MIB },
      ],
    },
  ]);
  expect(problems).toEqual([]);
  expect(source.driverVersion).toBe("590.48.01");
  expect(await source.health(MASKED)).toEqual({ status: "healthy", errors: [] });
});

test("an H100 with MIG on: its utilization is unknown, and its processes say that it is busy", async () => {
  const { gpus, problems, source } = await read("h100-mig-590.48.01", { until: hasProcesses });
  expect(gpus[0]).toMatchObject({ utilization: null, status: "busy", powerUsageW: 433.78 });
  expect(gpus[0]?.memoryUsedBytes).toBe(11_125 * MIB);
  expect(problems).toEqual([
    `${MASKED}: MIG is on: its instances are reported as one GPU, and its utilization is unknown`,
  ]);
  expect(await source.health(MASKED)).toEqual({ status: "healthy", errors: [] });
});

test("an L40S that the driver calls fully used while nothing is in its memory", async () => {
  const { gpus } = await read("l40s-595.80");
  expect(gpus[0]).toMatchObject({ status: "busy", utilization: 1, memoryUsedBytes: 0 });
  expect(gpus[0]).toMatchObject({ temperatureC: 63, computeCapability: 8.9, powerLimitW: 350 });
});

test("a GeForce without ECC and MIG is healthy", async () => {
  const { gpus, problems, source } = await read("rtx-4080-super-595.71.05");
  expect(gpus[0]).toMatchObject({ status: "available", utilization: 0.07, temperatureC: 46 });
  expect(gpus[0]).toMatchObject({ memoryTotalBytes: 16_376 * MIB, powerUsageW: 84.24 });
  expect(problems).toEqual([]);
  expect(await source.health(MASKED)).toEqual({ status: "healthy", errors: [] });
});

test("Windows does not tell how much memory a process has", async () => {
  const { gpus } = await read("rtx-2080-super-windows-591.86", { until: hasProcesses });
  expect(gpus[0]?.processes?.[4]).toEqual({
    pid: 20_372,
    name: "C:\\Program Files\\NZXT CAM\\NZXT CAM.exe",
    memoryUsedBytes: null,
  });
});

test("a driver of 2020, which knows neither compute_cap nor the clock reasons", async () => {
  const { gpus, problems, source } = await read("rtx-2080-440.64", {
    until: ({ gpus: [gpu] }) => gpu?.processes !== null,
    unknownFields: [
      "enforced.power.limit",
      "compute_cap",
      "clocks_event_reasons.active",
      "gpu_recovery_action",
      "mig.mode.current",
    ],
  });
  const id = "GPU-22b2c6ac-2d49-4863-197c-9c469071178a";
  expect(gpus).toEqual([
    {
      ...NEVER_KNOWN,
      id,
      name: "GeForce RTX 2080",
      status: "busy",
      computeCapability: null,
      memoryTotalBytes: 7979 * MIB,
      memoryUsedBytes: null,
      memoryFreeBytes: null,
      utilization: 0.86,
      temperatureC: 45,
      powerUsageW: 176.98,
      powerLimitW: 200,
      processes: [],
    },
  ]);
  expect(problems).toEqual([]);
  expect(await source.health(id)).toEqual({ status: "healthy", errors: [] });
});

test("an idle Tesla P100, of whose memory the total was not asked", async () => {
  const { gpus } = await read("tesla-p100");
  expect(gpus[0]).toMatchObject({ status: "available", utilization: 0, powerUsageW: 28.16 });
  expect(gpus[0]).toMatchObject({ memoryTotalBytes: null, memoryFreeBytes: 16_280 * MIB });
});

test("a GB10 shares the machine's memory: its own is unknown, not zero", async () => {
  const { gpus, problems } = await read("gb10");
  expect(gpus[0]).toMatchObject({ name: "NVIDIA GB10", status: "available", utilization: null });
  expect(gpus[0]).toMatchObject({ memoryTotalBytes: null, memoryFreeBytes: null });
  expect(problems).toEqual([]);
});

test("two cards of one kind are two GPUs", async () => {
  const { gpus } = await read("two-rtx-a6000");
  expect(gpus.map(({ name }) => name)).toEqual(["NVIDIA RTX A6000", "NVIDIA RTX A6000"]);
  expect(gpus.map(({ id }) => id.slice(-2))).toEqual(["a0", "a1"]);
});
