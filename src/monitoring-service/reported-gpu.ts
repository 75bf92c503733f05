import { contractFields, contractProcess } from "../fleet/contract-fields.ts";
import type { GpuHealth, GpuReading } from "../fleet/gpu.ts";

/** One GPU in the fields of the GPU Monitoring Service contract; null = unknown, as are absent processes. */
export function reportedGpu(gpu: GpuReading) {
  return { ...contractFields(gpu), processes: gpu.processes?.map(contractProcess) };
}

export function reportedHealth(gpuId: string, { status, errors }: GpuHealth) {
  return { gpu_id: gpuId, status, errors };
}
