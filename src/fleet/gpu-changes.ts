import type { Log } from "../log.ts";
import type { Gpu, GpuHealth } from "./gpu.ts";

type Gpus = ReadonlyMap<string, Gpu>;

/** Says what is news between two polls of one source. */
export function logGpuChanges(log: Log, before: Gpus, after: Gpus): void {
  for (const [gpuId, gpu] of after) {
    const known = before.get(gpuId);
    if (known) logChange(log, known, gpu);
    else log.info({ gpuId, name: gpu.name, status: gpu.status }, "gpu found");
  }
  for (const gpuId of before.keys()) {
    if (!after.has(gpuId)) log.warn({ gpuId }, "gpu no longer reported");
  }
}

function logChange(log: Log, known: Gpu, gpu: Gpu): void {
  const gpuId = gpu.id;
  if (known.status !== gpu.status) {
    const fields = { gpuId, from: known.status, to: gpu.status };
    if (isFault(known.status) || isFault(gpu.status)) log.warn(fields, "gpu status changed");
    else log.debug(fields, "gpu status changed");
  }
  if (known.tooHot !== gpu.tooHot) {
    const fields = { gpuId, temperatureC: gpu.temperatureC };
    log.warn(fields, gpu.tooHot ? "gpu too hot, not used" : "gpu cool again, used");
  }
}

const UNKNOWN = { status: "unknown", errors: [] } as const;

/** `gpu` as it was before; true where the verdict is another one now. None counts as healthy. */
export function logHealthChange(log: Log, gpu: Gpu, health: GpuHealth | null): boolean {
  const statuses = [gpu.health, health].map((verdict) => verdict?.status ?? "healthy");
  if (statuses[0] === statuses[1]) return false;
  const fields = { gpuId: gpu.id, ...(health ?? UNKNOWN) };
  // Only these are news: a card that slows down for moments may change with each poll.
  const level = statuses.includes("critical") ? "warn" : "debug";
  log[level](fields, "gpu health changed");
  return true;
}

/** available <-> busy is the daily round; anything else is news. */
function isFault(status: string): boolean {
  return status === "error" || status === "maintenance";
}
