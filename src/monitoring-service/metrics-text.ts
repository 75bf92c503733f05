import type { GpuHealth, GpuReading } from "../fleet/gpu.ts";

/** One GPU, and what its health check says. */
export interface MeasuredGpu {
  readonly gpu: GpuReading;
  readonly health: GpuHealth | null;
}

interface Gauge {
  readonly name: string;
  readonly help: string;
  /** null = unknown: then there is no sample. */
  readonly read: (measured: MeasuredGpu) => number | null;
}

const HEALTH_LEVELS = { healthy: 0, warning: 1, critical: 2 } as const;

const GAUGES: readonly Gauge[] = [
  {
    name: "gpu_utilization_ratio",
    help: "Share of the time in which a kernel ran, 0 to 1.",
    read: ({ gpu }) => gpu.utilization,
  },
  {
    name: "gpu_memory_total_bytes",
    help: "Memory of the GPU.",
    read: ({ gpu }) => gpu.memoryTotalBytes,
  },
  {
    name: "gpu_memory_used_bytes",
    help: "Memory that programs have taken.",
    read: ({ gpu }) => gpu.memoryUsedBytes,
  },
  {
    name: "gpu_memory_free_bytes",
    help: "Memory that is left; the driver keeps a part for itself.",
    read: ({ gpu }) => gpu.memoryFreeBytes,
  },
  {
    name: "gpu_temperature_celsius",
    help: "Temperature of the GPU's core.",
    read: ({ gpu }) => gpu.temperatureC,
  },
  {
    name: "gpu_power_usage_watts",
    help: "Power that the board draws.",
    read: ({ gpu }) => gpu.powerUsageW,
  },
  {
    name: "gpu_power_limit_watts",
    help: "Most power that the board may draw.",
    read: ({ gpu }) => gpu.powerLimitW,
  },
  {
    name: "gpu_processes",
    help: "Programs that compute on the GPU.",
    read: ({ gpu }) => gpu.processes?.length ?? null,
  },
  {
    name: "gpu_health",
    help: "0 = healthy, 1 = warning, 2 = critical.",
    read: ({ health }) => (health === null ? null : HEALTH_LEVELS[health.status]),
  },
  {
    name: "gpu_faulty",
    help: "1 = the GPU computes nothing more, as GET /gpus says with status error.",
    read: ({ gpu }) => (gpu.status === "error" ? 1 : 0),
  },
];

/** Prometheus text, version 0.0.4. null instead of GPUs: there is no telemetry now. */
export function metricsText(measured: readonly MeasuredGpu[] | null): string {
  const up = block("gpu_monitor_up", "1 = nvidia-smi gives readings, 0 = it does not.", [
    `gpu_monitor_up ${measured === null ? 0 : 1}`,
  ]);
  const gauges = GAUGES.map(({ name, help, read }) => {
    const samples = (measured ?? []).flatMap((one) => {
      const value = read(one);
      return value === null ? [] : [`${name}{${labelsOf(one.gpu)}} ${value}`];
    });
    return samples.length > 0 ? block(name, help, samples) : [];
  });
  return [...up, ...gauges.flat(), ""].join("\n");
}

function block(name: string, help: string, samples: readonly string[]): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...samples];
}

function labelsOf({ id, name }: GpuReading): string {
  return `gpu_id="${escaped(id)}",name="${escaped(name ?? "")}"`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
