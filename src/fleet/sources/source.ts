import type { GpuHealth, GpuReading } from "../gpu.ts";

/** What one poll brought. */
export interface PollResult {
  readonly gpus: readonly GpuReading[];
  /** What was dropped or made unknown, and why; each text is logged once. */
  readonly problems: readonly string[];
  /** By GPU id, from sources that tell it with the rest; then nobody waits for a health check. */
  readonly health?: ReadonlyMap<string, GpuHealth | null>;
}

/** Name of the source of this machine's own GPUs; all others are named by the address they ask. */
export const NVIDIA_SMI = "nvidia-smi";

/** Where telemetry comes from. Every implementation passes test/contract/gpu-source.contract.ts. */
export interface GpuSource {
  /** Unique among the sources of one router; shown in views and logs. */
  readonly name: string;
  /** Host that `gpus: auto` and reported endpoints are matched with. */
  readonly host: string;
  /** Rejects when the source as a whole gave nothing usable; the fleet then keeps what it knew. */
  poll(): Promise<PollResult>;
  /** null: the source offers no health check for this GPU. Rejects like poll. */
  health(gpuId: string): Promise<GpuHealth | null>;
  close(): Promise<void>;
}
