import type { Config } from "../config/schema.ts";
import type { EngineName, WorkerSpec } from "./worker.ts";

const MIB = 1024 * 1024;

/** A worker as the operator wrote it, in the fleet's units. */
export function workerSpecOf(setting: Config["workers"][number]): WorkerSpec {
  return {
    id: setting.id,
    url: setting.url,
    // Checked against the table of engines when the config was read.
    engine: setting.engine as EngineName,
    gpus: setting.gpus,
    models: setting.models.map(({ name, as, min_compute_capability, memory_mb }) => ({
      name,
      as,
      minComputeCapability: min_compute_capability,
      memoryBytes: memory_mb === null ? null : memory_mb * MIB,
    })),
    slots: setting.slots,
    types: setting.types,
    apiKey: setting.api_key,
    loadTimeoutMs: setting.load_timeout * 1000,
  };
}
