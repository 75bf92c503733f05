import type { GpuProcess, GpuReading } from "./gpu.ts";

/** A GPU in the fields of the GPU Monitoring Service contract, without its processes; null = unknown. */
export function contractFields(gpu: GpuReading) {
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
  };
}

/** One of its processes, in the fields of the same contract. */
export function contractProcess({ pid, name, memoryUsedBytes }: GpuProcess) {
  return { pid, name, memory_used: memoryUsedBytes };
}
