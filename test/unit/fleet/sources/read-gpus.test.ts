import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GpuReading } from "../../../../src/fleet/gpu.ts";
import { readGpus } from "../../../../src/fleet/sources/read-gpus.ts";
import { reportedGpu, type ReportedGpu } from "../../../support/stub-monitoring-service.ts";

function readOne(changes: ReportedGpu) {
  const { gpus, problems } = readGpus({ gpus: [reportedGpu("a", changes)] });
  return { gpu: gpus[0], problems };
}

const gib = 2 ** 30;

describe("a well-formed GPU", () => {
  test("is read field by field, without a problem", () => {
    const processes = [{ pid: 7, name: "python", memory_used: gib }];
    const { gpu, problems } = readOne({ processes, endpoint: "http://10.0.0.5:8000" });
    expect(problems).toEqual([]);
    expect(gpu).toEqual({
      id: "a",
      name: "Stub GPU 80GB",
      status: "available",
      computeCapability: 9,
      memoryTotalBytes: 80 * gib,
      memoryUsedBytes: 20 * gib,
      memoryFreeBytes: 60 * gib,
      utilization: 0.1,
      temperatureC: 45,
      powerUsageW: 120,
      powerLimitW: 700,
      performanceIndex: 0.9,
      errorRate: 0,
      uptimeS: 3600,
      processes: [{ pid: 7, name: "python", memoryUsedBytes: gib }],
      endpoint: "http://10.0.0.5:8000",
    } satisfies GpuReading);
  });

  test("may leave out all but its id and status", () => {
    const { gpus, problems } = readGpus({ gpus: [{ gpu_id: "a", status: "busy" }] });
    expect(problems).toEqual([]);
    expect(gpus[0]).toMatchObject({ status: "busy", temperatureC: null, processes: [] });
  });

  test("has its free memory derived when only the rest is told", () => {
    expect(readOne({ memory_free: undefined }).gpu?.memoryFreeBytes).toBe(60 * gib);
    expect(readOne({ memory_free: null, memory_used: null }).gpu?.memoryFreeBytes).toBeNull();
  });

  test.each([
    ["8.6", 8.6],
    ["12.0", 12],
    [7.5, 7.5],
  ])("has compute capability %s as a number", (compute_capability, expected) => {
    expect(readOne({ compute_capability }).gpu?.computeCapability).toBe(expected);
  });
});

describe("a field that makes no sense", () => {
  test.each([
    ["temperature", "45", "temperatureC"],
    ["temperature", Number.NaN, "temperatureC"],
    ["temperature", Infinity, "temperatureC"],
    ["temperature", -5, "temperatureC"],
    ["temperature", 2 ** 63, "temperatureC"],
    ["power_usage", [120], "powerUsageW"],
    ["power_limit", true, "powerLimitW"],
    ["memory_used", -1, "memoryUsedBytes"],
    ["memory_total", 1e300, "memoryTotalBytes"],
    ["performance_index", 1.01, "performanceIndex"],
    ["error_rate", 5, "errorRate"],
    ["uptime", {}, "uptimeS"],
    ["utilization", -0.05, "utilization"],
    ["utilization", Infinity, "utilization"],
    ["utilization", "10%", "utilization"],
    ["compute_capability", "sm_86", "computeCapability"],
    ["compute_capability", -8.6, "computeCapability"],
    ["name", 7, "name"],
    ["endpoint", { url: "x" }, "endpoint"],
  ] as const)("%s = %s is unknown, and named; the GPU stays", (field, value, key) => {
    const { gpu, problems } = readOne({ [field]: value });
    expect(gpu?.[key]).toBeNull();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`a: ${field} is`);
  });

  test("names the same problem in the same words whatever the value", () => {
    expect(readOne({ temperature: 300 }).problems).toEqual(readOne({ temperature: 301 }).problems);
  });

  test.each(["broken", "", 3, undefined])(
    "status %s counts as available, and is named",
    (status) => {
      const { gpu, problems } = readOne({ status });
      expect(gpu?.status).toBe("available");
      expect(problems[0]).toContain("a: status is not one of");
    },
  );

  test("a status in capitals is understood", () => {
    expect(readOne({ status: "ERROR" })).toMatchObject({ gpu: { status: "error" }, problems: [] });
  });

  test("memory in MiB is found out and unknown", () => {
    const { gpu, problems } = readOne({ memory_total: 81920, memory_used: 1, memory_free: 81919 });
    expect(gpu).toMatchObject({ memoryTotalBytes: null, memoryFreeBytes: null });
    expect(problems[0]).toContain("looks like MiB, expected bytes");
  });

  test("more free memory than there is, is unknown", () => {
    expect(readOne({ memory_free: 81 * gib }).gpu?.memoryFreeBytes).toBeNull();
  });

  test("processes that are none are left out", () => {
    expect(readOne({ processes: "none" }).gpu?.processes).toEqual([]);
    expect(readOne({ processes: [1, null, {}] }).gpu?.processes).toEqual([
      { pid: null, name: null, memoryUsedBytes: null },
    ]);
  });
});

describe("utilization above 1", () => {
  function utilizations(...values: readonly unknown[]) {
    const gpus = values.map((utilization, index) => reportedGpu(`gpu-${index}`, { utilization }));
    const result = readGpus({ gpus });
    return { ...result, read: result.gpus.map(({ utilization }) => utilization) };
  }

  test("on every GPU that is not idle looks like percent: unknown, with the fix, once", () => {
    const { read, problems } = utilizations(45, 0, 99.5);
    expect(read).toEqual([null, 0, null]);
    expect(problems).toEqual([
      "utilization looks like percent, expected 0 to 1: divide it by 100 in the service",
    ]);
  });

  test("on one GPU among sane ones is that GPU's problem", () => {
    const { read, problems } = utilizations(0.4, 250);
    expect(read).toEqual([0.4, null]);
    expect(problems).toEqual(["gpu-1: utilization is above 1; taken as unknown"]);
  });
});

describe("an item that is no GPU", () => {
  test.each([[null], [7], ["gpu"], [[]]])("%s is dropped and named by its place", (item) => {
    const { gpus, problems } = readGpus({ gpus: [reportedGpu("a"), item] });
    expect(gpus.map(({ id }) => id)).toEqual(["a"]);
    expect(problems).toEqual(["gpus[1] is not an object; it is ignored"]);
  });

  test.each([[undefined], [""], [7], ["x".repeat(257)], ["line\nbreak"]])(
    "with the id %j is dropped and named by its place",
    (gpu_id) => {
      const { gpus, problems } = readGpus({ gpus: [reportedGpu("a", { gpu_id })] });
      expect(gpus).toEqual([]);
      expect(problems[0]).toContain("gpus[0] has no usable gpu_id");
    },
  );

  test("a second one of the same id is dropped: the first counts", () => {
    const twice = [reportedGpu("a", { temperature: 50 }), reportedGpu("a", { temperature: 60 })];
    const { gpus, problems } = readGpus({ gpus: twice });
    expect(gpus.map(({ temperatureC }) => temperatureC)).toEqual([50]);
    expect(problems).toEqual(["gpu_id a is reported twice; the first one counts"]);
  });

  test("an id of __proto__ is an id like any other", () => {
    const body = JSON.parse(
      '{"gpus":[{"gpu_id":"__proto__","status":"busy","__proto__":{"x":1}}]}',
    );
    expect(readGpus(body)).toMatchObject({ gpus: [{ id: "__proto__" }], problems: [] });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe("a whole answer", () => {
  test.each([[null], [[]], ["gpus"], [{}], [{ gpus: {} }], [{ gpus: null }]])(
    "%j is refused, with what is expected",
    (body) => {
      expect(() => readGpus(body)).toThrow('JSON without a list "gpus", expected {"gpus":[…]}');
    },
  );

  test("may be an empty list", () => {
    expect(readGpus({ gpus: [] })).toEqual({ gpus: [], problems: [] });
  });

  test("is cut at 10,000 GPUs, and read in good time", () => {
    const gpus = Array.from({ length: 10_001 }, (_, index) => reportedGpu(`gpu-${index}`));
    const startedMs = performance.now();
    const read = readGpus({ gpus });
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(read.gpus).toHaveLength(10_000);
    expect(read.problems).toEqual(["more than 10000 GPUs are reported; the rest is ignored"]);
  });

  test("names at most a hundred problems", () => {
    const gpus = Array.from({ length: 500 }, (_, index) => index);
    expect(readGpus({ gpus }).problems).toHaveLength(101);
  });

  test("never throws for what is in the list, and lets nothing impossible through", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.anything(), anyGpu())), (gpus) => {
        for (const gpu of readGpus({ gpus }).gpus) expectPossible(gpu);
      }),
    );
  });
});

function anyGpu() {
  const any = fc.oneof(fc.double(), fc.integer(), fc.string(), fc.constant(null), fc.boolean());
  const fields = Object.fromEntries(Object.keys(reportedGpu("a")).map((field) => [field, any]));
  return fc.record({ ...fields, gpu_id: fc.string({ minLength: 1 }) });
}

function expectPossible(gpu: GpuReading): void {
  expect(gpu.id).toMatch(/^[ -~]{1,256}$/);
  expect(["available", "busy", "error", "maintenance"]).toContain(gpu.status);
  for (const value of [gpu.utilization, gpu.errorRate, gpu.performanceIndex]) {
    if (value !== null) expect(value >= 0 && value <= 1).toBe(true);
  }
  for (const value of [gpu.temperatureC, gpu.memoryFreeBytes, gpu.powerUsageW, gpu.uptimeS]) {
    if (value !== null) expect(Number.isFinite(value) && value >= 0).toBe(true);
  }
}
