import type { GpuHealth, GpuReading } from "../fleet/gpu.ts";

/** One GPU in the fields of the GPU Monitoring Service contract; null = unknown, as are absent processes. */
export function reportedGpu(gpu: GpuReading) {
  return {
    gpu_id: gpu.id,
    name: gpu.name,
    status: gpu.status,
    compute_capability: gpu.computeCapability,
    memory_total: gpu.memoryTotalBytes,
    memory_used: gpu.memoryUsedBytes,
    memory_free: gpu.memoryFreeBytes,
    utilization: gpu.utilization,
    temperature: gpu.temperatureC,
    power_usage: gpu.powerUsageW,
    power_limit: gpu.powerLimitW,
    performance_index: gpu.performanceIndex,
    error_rate: gpu.errorRate,
    uptime: gpu.uptimeS,
    processes: gpu.processes?.map(({ pid, name, memoryUsedBytes }) => ({
      pid,
      name,
      memory_used: memoryUsedBytes,
    })),
  };
}

export function reportedHealth(gpuId: string, { status, errors }: GpuHealth) {
  return { gpu_id: gpuId, status, errors };
}
