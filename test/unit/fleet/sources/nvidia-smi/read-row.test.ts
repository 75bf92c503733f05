import { describe, expect, test } from "vitest";
import type { Row } from "../../../../../src/fleet/sources/nvidia-smi/columns.ts";
import { healthOf, reportedFrom } from "../../../../../src/fleet/sources/nvidia-smi/read-row.ts";

const WELL: Row = {
  index: "0",
  uuid: "GPU-1",
  memoryUsed: "100",
  utilization: "3",
  temperature: "41",
  eccUncorrected: "0",
  slowdowns: "0x0000000000000001",
  recoveryAction: "None",
  name: "Tesla T4",
};

const PROCESS = { pid: 1, name: "vllm", memoryUsedBytes: null };

test.each(["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "ERR!", ""])(
  "%j is unknown, never zero",
  (cell) => {
    const row = { ...WELL, utilization: cell, powerDraw: cell, memoryFree: cell, name: cell };
    expect(reportedFrom(row, "GPU-1", [])).toMatchObject({
      name: null,
      utilization: null,
      power_usage: null,
      memory_free: null,
    });
  },
);

test("text that is no figure stays, for the check of GET /gpus to name it", () => {
  expect(reportedFrom({ ...WELL, temperature: "warm" }, "GPU-1", []).temperature).toBe("warm");
});

describe("status", () => {
  const busy: readonly (readonly [utilization: string, processes: number, status: string])[] = [
    ["0", 0, "available"],
    ["9", 1, "available"],
    ["10", 0, "busy"],
    ["[N/A]", 0, "available"],
    ["[N/A]", 1, "busy"],
  ];

  test("where neither utilization nor processes are known, it is available", () => {
    const { status, processes } = reportedFrom({ ...WELL, utilization: "[N/A]" }, "GPU-1", null);
    expect([status, processes]).toEqual(["available", undefined]);
  });

  test.each(busy)("utilization %s with %i processes: %s", (utilization, count, status) => {
    const processes = Array.from({ length: count }, () => PROCESS);
    expect(reportedFrom({ ...WELL, utilization }, "GPU-1", processes).status).toBe(status);
  });
});

describe("faults", () => {
  const faults: readonly (readonly [changes: Row, says: string])[] = [
    [{ temperature: "[GPU is lost]" }, "GPU is lost"],
    [{ utilization: "[GPU requires reset]" }, "requires a reset"],
    [{ recoveryAction: "Reset" }, "asks for a reset"],
    [{ recoveryAction: "Reboot" }, "asks for a reboot"],
    [{ temperature: "[Unknown Error]", memoryUsed: "[Unknown Error]" }, "neither"],
    [{ temperature: "ERR!", memoryUsed: "ERR!" }, "neither"],
  ];

  test.each(faults)("%j", (changes, says) => {
    const row = { ...WELL, ...changes };
    expect(reportedFrom(row, "GPU-1", [PROCESS]).status).toBe("error");
    const health = healthOf(row, false);
    expect(health.status).toBe("critical");
    expect(health.errors[0]).toContain(says);
  });

  test("one sensor that fails is no fault of the GPU", () => {
    const row = { ...WELL, temperature: "[Unknown Error]" };
    expect(reportedFrom(row, "GPU-1", []).status).toBe("available");
    expect(healthOf(row, false).status).toBe("healthy");
  });
});

describe("health", () => {
  const cases: readonly (readonly [changes: Row, status: string, says: string])[] = [
    [{ eccUncorrected: "3" }, "warning", "3 uncorrected ECC errors"],
    [{ recoveryAction: "Drain and Reset" }, "critical", "drain and reset"],
    [{ recoveryAction: "Drain P2P" }, "warning", "between GPUs"],
    [{ slowdowns: "0x0000000000000048" }, "warning", "hw_thermal_slowdown"],
    [{ slowdowns: "0x8000000000000048" }, "warning", "hw_thermal_slowdown"],
    [{ slowdowns: "0x0000000000000088" }, "warning", "hw_power_brake_slowdown"],
    [{ slowdowns: "0x0000000000000008" }, "warning", "hw_slowdown"],
  ];

  test.each(cases)("%j: %s", (changes, status, says) => {
    const health = healthOf({ ...WELL, ...changes }, false);
    expect(health.status).toBe(status);
    expect(health.errors).toHaveLength(1);
    expect(health.errors[0]).toContain(says);
  });

  test("an ECC error of a moment ago is critical", () => {
    const { status, errors } = healthOf({ ...WELL, eccUncorrected: "3" }, true);
    expect(status).toBe("critical");
    expect(errors).toEqual([
      "3 uncorrected ECC errors since the driver was loaded, the latest just now",
    ]);
  });

  test.each([
    { slowdowns: "0x0000000000000004" },
    { slowdowns: "[N/A]" },
    { eccUncorrected: "[N/A]" },
    { recoveryAction: "[N/A]" },
  ])("%j is healthy: full power, or a card that cannot tell", (changes: Row) => {
    expect(healthOf({ ...WELL, ...changes }, false)).toEqual({ status: "healthy", errors: [] });
  });
});
