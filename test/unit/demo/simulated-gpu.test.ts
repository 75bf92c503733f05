import { describe, expect, test } from "vitest";
import { DEMO_HARDWARE, DEMO_SLOTS } from "../../../src/demo/hardware.ts";
import type { DemoHardware } from "../../../src/demo/hardware.ts";
import { SimulatedGpu } from "../../../src/demo/simulated-gpu.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const [hardware] = DEMO_HARDWARE as readonly [DemoHardware];
const HOUR_MS = 3_600_000;

function gpuWithClock(): { gpu: SimulatedGpu; clock: FakeClock } {
  const clock = new FakeClock();
  return { gpu: new SimulatedGpu(hardware, clock), clock };
}

/** Both lags under full load, integrated numerically. */
function temperatureInSmallSteps(untilMs: number): number {
  let utilization = 0;
  let temperatureC = hardware.idleTemperatureC;
  const rangeC = hardware.fullTemperatureC - hardware.idleTemperatureC;
  for (let atMs = 0; atMs < untilMs; atMs++) {
    temperatureC += (hardware.idleTemperatureC + rangeC * utilization - temperatureC) / 20_000;
    utilization += (1 - utilization) / 2_000;
  }
  return temperatureC;
}

describe("a simulated GPU", () => {
  test("rests at its idle values, with its models in memory", () => {
    const { gpu, clock } = gpuWithClock();
    clock.advance(5_000);
    const weightsBytes = hardware.models.reduce((sum, model) => sum + model.weightsBytes, 0);
    expect(gpu.telemetry()).toMatchObject({
      gpu_id: "gpu-h100",
      status: "available",
      utilization: 0,
      temperature: hardware.idleTemperatureC,
      power_usage: hardware.idlePowerW,
      memory_used: weightsBytes,
      memory_free: hardware.memoryTotalBytes - weightsBytes,
      uptime: 5,
    });
  });

  test("approaches full load step by step, utilization first and heat later", () => {
    const { gpu, clock } = gpuWithClock();
    gpu.setRunning(DEMO_SLOTS);
    expect(gpu.telemetry().utilization).toBe(0);
    clock.advance(2_000);
    const soon = gpu.telemetry();
    expect(soon.utilization).toBeCloseTo(1 - 1 / Math.E, 2);
    expect(soon.temperature).toBeCloseTo(temperatureInSmallSteps(2_000), 1);
    clock.advance(HOUR_MS);
    expect(gpu.telemetry()).toMatchObject({
      status: "busy",
      utilization: 1,
      temperature: hardware.fullTemperatureC,
      power_usage: hardware.powerLimitW,
    });
  });

  test("cools down again when the load is gone", () => {
    const { gpu, clock } = gpuWithClock();
    gpu.setRunning(DEMO_SLOTS);
    clock.advance(HOUR_MS);
    gpu.setRunning(0);
    clock.advance(20_000);
    const cooling = gpu.telemetry().temperature;
    expect(cooling).toBeLessThan(hardware.fullTemperatureC);
    expect(cooling).toBeGreaterThan(hardware.idleTemperatureC);
    clock.advance(HOUR_MS);
    expect(gpu.telemetry().temperature).toBe(hardware.idleTemperatureC);
  });

  test("takes memory for each running request", () => {
    const { gpu } = gpuWithClock();
    const idle = gpu.telemetry();
    gpu.setRunning(4);
    const busy = gpu.telemetry();
    gpu.setRunning(8);
    const busier = gpu.telemetry();
    expect(busy.memory_used).toBeGreaterThan(idle.memory_used);
    expect(busier.memory_used - idle.memory_used).toBe(2 * (busy.memory_used - idle.memory_used));
  });

  test("says the same however often it is asked", () => {
    const watched = gpuWithClock();
    const ignored = gpuWithClock();
    for (const { gpu } of [watched, ignored]) gpu.setRunning(5);
    for (let second = 0; second < 30; second++) {
      watched.clock.advance(1_000);
      watched.gpu.telemetry();
    }
    ignored.clock.advance(30_000);
    expect(watched.gpu.telemetry()).toEqual(ignored.gpu.telemetry());
  });

  test("has memory for all its slots and stays below the default heat limit", () => {
    for (const each of DEMO_HARDWARE) {
      const clock = new FakeClock();
      const gpu = new SimulatedGpu(each, clock);
      gpu.setRunning(DEMO_SLOTS);
      clock.advance(HOUR_MS);
      const { memory_free: memoryFreeBytes, temperature: temperatureC } = gpu.telemetry();
      expect(memoryFreeBytes).toBeGreaterThan(0);
      expect(temperatureC).toBeLessThan(85);
    }
  });

  test("warns in its health check when it runs warm", () => {
    const clock = new FakeClock();
    const gpu = new SimulatedGpu({ ...hardware, fullTemperatureC: 82 }, clock);
    expect(gpu.health()).toEqual({ gpu_id: gpu.id, status: "healthy", errors: [] });
    gpu.setRunning(DEMO_SLOTS);
    clock.advance(HOUR_MS);
    expect(gpu.health()).toEqual({
      gpu_id: gpu.id,
      status: "warning",
      errors: ["simulated temperature 82 °C is above 80 °C"],
    });
  });
});
