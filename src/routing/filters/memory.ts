import type { Gpu } from "../../fleet/gpu.ts";
import type { Worker } from "../../fleet/worker.ts";
import { mustLoadModel } from "../load.ts";
import type { Filter, RoutingRequest, RoutingView } from "../stages.ts";

const MIB = 1024 * 1024;

/**
 * GPU memory. Where the request itself makes the worker allocate (an on-demand model that is not
 * loaded, training, a placement), free memory counts, less what was promised since it was reported. Engines that
 * took their memory at start have room by definition: there the model's need is held against the
 * total. Memory that no source reports passes.
 */
export const memory: Filter = {
  name: "memory",
  scope: "moment",
  passes(worker, request, view) {
    const needed = neededBytes(worker, request);
    if (needed === 0) return true;
    const total = totalBytes(worker);
    if (total !== null && total < needed) return false;
    if (!allocates(worker, request)) return true;
    const free = freeBytes(worker, view);
    return free === null || free >= needed;
  },
  reject(worker, request, view) {
    const needed = neededBytes(worker, request);
    const total = totalBytes(worker);
    if (total !== null && total < needed) {
      return { reason: `has ${mib(total)} MB in all, ${mib(needed)} MB needed`, permanent: true };
    }
    const free = Math.max(0, freeBytes(worker, view) ?? 0);
    return { reason: `has ${mib(free)} MB free, ${mib(needed)} MB needed`, permanent: false };
  },
};

type MemoryRequest = Pick<RoutingRequest, "model" | "path" | "type" | "memoryBytes">;

/** What this request would make the worker allocate; 0 where it allocates nothing or nobody knows. */
export function allocatedBytes(worker: Worker, request: MemoryRequest): number {
  return allocates(worker, request) ? neededBytes(worker, request) : 0;
}

function neededBytes(worker: Worker, request: MemoryRequest): number {
  if (request.memoryBytes !== null) return request.memoryBytes;
  return worker.knowsModelMemory ? (worker.models.get(request.model)?.memoryBytes ?? 0) : 0;
}

function allocates(worker: Worker, request: MemoryRequest): boolean {
  // Whoever talks to the worker without us brings work of its own to the GPU.
  if (request.type === "training" || request.path === null) return true;
  return !worker.preallocatesMemory && mustLoadModel(worker, request.model);
}

function totalBytes(worker: Worker): number | null {
  return sumKnown(worker, (gpu) => gpu.memoryTotalBytes);
}

function freeBytes(worker: Worker, view: RoutingView): number | null {
  const free = sumKnown(worker, (gpu) => gpu.memoryFreeBytes);
  if (free === null) return null;
  const seenAtMs = Math.min(...worker.gpus.map((gpu) => sourceSeenAtMs(view, gpu.source)));
  return free - view.leases.promisedBytes(worker.placement, seenAtMs);
}

function sourceSeenAtMs(view: RoutingView, name: string): number {
  return view.snapshot.sources.find((source) => source.name === name)?.lastSuccessAtMs ?? -Infinity;
}

/** null when any is unknown: a partial sum would reject workers that fit. */
function sumKnown(worker: Worker, read: (gpu: Gpu) => number | null): number | null {
  if (worker.gpus.length === 0 || worker.gpus.length < worker.gpuIds.length) return null;
  let total = 0;
  for (const gpu of worker.gpus) {
    const value = read(gpu);
    if (value === null) return null;
    total += value;
  }
  return total;
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}
