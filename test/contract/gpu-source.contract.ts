import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GpuHealth } from "../../src/fleet/gpu.ts";
import type { GpuSource } from "../../src/fleet/sources/source.ts";

/** A source, and control over what it has to read. */
export interface GpuSourceHarness {
  readonly source: GpuSource;
  /** What it shall find from now on: healthy GPUs of these ids. */
  report(ids: readonly string[]): void;
  /** Makes this GPU critical. Returns what its health check shall tell. */
  makeCritical(id: string): GpuHealth;
  /** From now on there is nothing to read. */
  breakDown(): Promise<void>;
  stop(): Promise<void>;
}

function expectBetween(least: number, value: number | null | undefined, most: number): void {
  expect(value).toBeDefined();
  if (value === null) return;
  expect(value).toBeGreaterThanOrEqual(least);
  expect(value).toBeLessThanOrEqual(most);
}

/** What the fleet relies on, whatever telemetry comes from. */
export function describeGpuSource(name: string, start: () => Promise<GpuSourceHarness>): void {
  describe(`${name} as a source of GPUs`, () => {
    let harness: GpuSourceHarness;

    beforeEach(async () => {
      harness = await start();
    });

    afterEach(async () => {
      await harness.source.close();
      await harness.stop();
    });

    test("has a name and a host", () => {
      expect(harness.source.name).not.toBe("");
      expect(harness.source.host).not.toBe("");
    });

    test("reports each GPU once, by its id", async () => {
      harness.report(["GPU-1", "GPU-2"]);
      const { gpus, problems } = await harness.source.poll();
      expect(gpus.map(({ id }) => id)).toEqual(["GPU-1", "GPU-2"]);
      expect(problems).toEqual([]);
    });

    test("reports what is there now, not what was there before", async () => {
      harness.report(["GPU-1", "GPU-2"]);
      await harness.source.poll();
      harness.report(["GPU-2"]);
      expect((await harness.source.poll()).gpus.map(({ id }) => id)).toEqual(["GPU-2"]);
    });

    test("reports values in their units and ranges, or as unknown", async () => {
      harness.report(["GPU-1"]);
      const [gpu] = (await harness.source.poll()).gpus;
      expectBetween(0, gpu?.utilization, 1);
      expectBetween(0, gpu?.errorRate, 1);
      expectBetween(0, gpu?.performanceIndex, 1);
      expectBetween(2 ** 24, gpu?.memoryTotalBytes, 2 ** 50);
      expectBetween(0, gpu?.temperatureC, 150);
    });

    test("takes polls at the same time", async () => {
      harness.report(["GPU-1"]);
      const polls = await Promise.all([harness.source.poll(), harness.source.poll()]);
      expect(polls.map(({ gpus }) => gpus.length)).toEqual([1, 1]);
    });

    test("rejects with words when there is nothing to read, and does not make up an answer", async () => {
      await harness.breakDown();
      await expect(harness.source.poll()).rejects.toThrow(/\w+ \w+/);
    });

    test("tells the health of a GPU, and null where none is offered", async () => {
      harness.report(["GPU-1"]);
      const health = harness.makeCritical("GPU-1");
      expect(health.status).toBe("critical");
      expect(await harness.source.health("GPU-1")).toEqual(health);
      expect(await harness.source.health("GPU-2")).toBeNull();
    });

    test("closed, it gives up a poll that is under way", async () => {
      harness.report(["GPU-1"]);
      const poll = harness.source.poll();
      const settled = Promise.allSettled([poll]);
      await harness.source.close();
      expect(await settled).toHaveLength(1);
    });
  });
}
