import { z } from "zod";
import { RouterError } from "../../errors.ts";
import { identityOf } from "../auth.ts";
import {
  gpuDetailSchema,
  gpuSchema,
  viewGpu,
  viewGpuDetail,
  viewWorker,
  workerSchema,
  type FleetView,
} from "../gpu-view.ts";
import type { Identity } from "../keys.ts";
import { cordonsSchema, viewCordons } from "../maintenance-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

const tags = ["Fleet"];
const fleetSchema = z.object({
  gpus: z.array(gpuSchema),
  workers: z.array(workerSchema),
  cordons: cordonsSchema,
});

export function gpuRoutes(app: RouterApp, fleetView: (identity: Identity) => FleetView): void {
  app.get(
    "/api/v1/gpus",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "All GPUs and workers as known now",
        security: SECURED,
        response: {
          200: describedJson("GPUs, and the workers on them or on none known.", fleetSchema),
          ...errorResponses(),
        },
      },
    },
    (request) => {
      const view = fleetView(identityOf(request));
      return {
        gpus: [...view.snapshot.gpus.values()].map((gpu) => viewGpu(gpu, view)),
        workers: view.snapshot.workers.map((worker) => viewWorker(worker, view)),
        cordons: viewCordons(view.identity, view),
      };
    },
  );
  app.get(
    "/api/v1/gpus/:gpu_id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "One GPU, with the requests that run on it",
        security: SECURED,
        params: z.object({ gpu_id: z.string() }),
        response: {
          200: describedJson("The GPU.", gpuDetailSchema),
          ...errorResponses("GPU_NOT_FOUND"),
        },
      },
    },
    (request) => {
      const view = fleetView(identityOf(request));
      const gpu = view.snapshot.gpus.get(request.params.gpu_id);
      if (gpu) return viewGpuDetail(gpu, view);
      const message = "no such GPU: GET /api/v1/gpus lists those that are known";
      throw new RouterError("GPU_NOT_FOUND", message, { param: "gpu_id" });
    },
  );
}
