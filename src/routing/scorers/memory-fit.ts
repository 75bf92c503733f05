import type { Worker } from "../../fleet/worker.ts";
import type { Scorer } from "../stages.ts";

/**
 * Best fit: the less memory would be left over, the better, so that large GPUs stay free for large
 * requests. 1 - (free - needed) ÷ total; 0.5 where memory is not known.
 */
export const memoryFit: Scorer = {
  name: "memory_fit",
  scope: "moment",
  score({ worker }, { request }) {
    const needed = request.memoryBytes ?? worker.models.get(request.model)?.memoryBytes ?? 0;
    const room = roomOf(worker);
    if (room === null) return 0.5;
    return 1 - Math.max(0, room.freeBytes - needed) / room.totalBytes;
  },
};

function roomOf(worker: Worker): { freeBytes: number; totalBytes: number } | null {
  if (worker.gpus.length < worker.gpuIds.length) return null;
  let freeBytes = 0;
  let totalBytes = 0;
  for (const gpu of worker.gpus) {
    if (gpu.memoryFreeBytes === null || gpu.memoryTotalBytes === null) return null;
    freeBytes += gpu.memoryFreeBytes;
    totalBytes += gpu.memoryTotalBytes;
  }
  return totalBytes > 0 ? { freeBytes, totalBytes } : null;
}
