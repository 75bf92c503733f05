import { expect, test } from "vitest";
import { readGpus } from "../../../src/fleet/sources/read-gpus.ts";
import { metricsText } from "../../../src/monitoring-service/metrics-text.ts";
import { reportedGpu } from "../../support/stub-monitoring-service.ts";

function measured(changes: Readonly<Record<string, unknown>>) {
  const [gpu] = readGpus({ gpus: [reportedGpu("GPU-1", changes)] }).gpus;
  return { gpu: gpu!, health: { status: "warning", errors: [] } as const };
}

test("a gauge has its help, its type, and one sample per GPU", () => {
  const text = metricsText([measured({ name: "Tesla T4", temperature: 45.5 })]);
  expect(text).toContain(
    [
      "# HELP gpu_temperature_celsius Temperature of the GPU's core.",
      "# TYPE gpu_temperature_celsius gauge",
      'gpu_temperature_celsius{gpu_id="GPU-1",name="Tesla T4"} 45.5',
    ].join("\n"),
  );
  expect(text).toContain('gpu_health{gpu_id="GPU-1",name="Tesla T4"} 1\n');
  expect(text).toMatch(
    /^# HELP gpu_monitor_up .*\n# TYPE gpu_monitor_up gauge\ngpu_monitor_up 1\n/,
  );
  expect(text.endsWith("\n")).toBe(true);
});

test("what is unknown has no sample, and no gauge without one", () => {
  const text = metricsText([measured({ utilization: null }), measured({ utilization: 0.5 })]);
  expect(text.match(/^gpu_utilization_ratio\{/gm)).toHaveLength(1);
  expect(metricsText([measured({ utilization: null })])).not.toContain("gpu_utilization_ratio");
});

test("processes that are unknown are not 0", () => {
  const { gpu, health } = measured({});
  expect(metricsText([{ gpu, health }])).toMatch(/^gpu_processes\{.*\} 0$/m);
  expect(metricsText([{ gpu: { ...gpu, processes: null }, health }])).not.toContain(
    "gpu_processes",
  );
});

test("labels are escaped", () => {
  const text = metricsText([measured({ name: 'a"b\\c\nd' })]);
  expect(text).toContain(String.raw`name="a\"b\\c\nd"`);
});

test("a GPU in error is told", () => {
  expect(metricsText([measured({ status: "error" })])).toMatch(/^gpu_faulty\{.*\} 1$/m);
});

test("without telemetry there is only that", () => {
  const text = metricsText(null);
  expect(text.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
    "gpu_monitor_up 0",
    "",
  ]);
});
