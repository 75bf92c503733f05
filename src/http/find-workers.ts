import { RouterError } from "../errors.ts";
import { isMeantBy } from "../fleet/cordons.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";

/** What an operator means by an id: all workers on the GPU, or the worker of that id. */
export function workersMeantBy(id: string, { workers, cordons }: FleetSnapshot): readonly Worker[] {
  return workers.filter((worker) => isMeantBy(id, worker, cordons));
}

/** Throws GPU_NOT_FOUND for an id that nothing has, and nothing had when it was cordoned. */
export function checkIsKnown(id: string, snapshot: FleetSnapshot): void {
  const { gpus, cordons } = snapshot;
  if (gpus.has(id) || cordons.has(id) || workersMeantBy(id, snapshot).length > 0) return;
  const message = "no such GPU or worker: GET /api/v1/gpus lists those that are known";
  throw new RouterError("GPU_NOT_FOUND", message, { param: "gpu_id" });
}
