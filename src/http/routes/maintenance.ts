import { z } from "zod";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Log } from "../../log.ts";
import { identityOf } from "../auth.ts";
import { checkIsKnown } from "../find-workers.ts";
import type { Identity } from "../keys.ts";
import {
  CORDON_LASTS,
  isIdle,
  maintainedSchema,
  maintenanceBodySchema,
  viewMaintenance,
  viewWork,
} from "../maintenance-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface MaintenanceRoutesDeps {
  readonly fleet: Pick<Fleet, "snapshot" | "cordon" | "uncordon" | "retired">;
  readonly ownLeases: (workerIndex: number) => number;
  readonly log: Log;
  /** Workers may take requests again: those who wait may have them. */
  readonly lookAgain: () => void;
}

export function maintenanceRoutes(app: RouterApp, deps: MaintenanceRoutesDeps): void {
  app.post(
    "/api/v1/gpus/:gpu_id/maintenance",
    {
      config: { access: "operator" },
      schema: {
        tags: ["Fleet"],
        summary: "Cordon a GPU or a worker, or end that",
        description:
          "New requests go elsewhere; what runs there goes on. A GPU's id means all workers on it, a " +
          "worker's id that worker. Done twice, only the reason changes. A restart forgets it.",
        security: SECURED,
        params: z.object({ gpu_id: z.string() }),
        body: maintenanceBodySchema,
        response: {
          200: describedJson("How it is from now on.", maintainedSchema),
          ...errorResponses("FORBIDDEN", "GPU_NOT_FOUND", "BODY_TOO_LARGE"),
        },
      },
    },
    (request) => {
      const { gpu_id: id } = request.params;
      const identity = identityOf(request);
      checkIsKnown(id, deps.fleet.snapshot());
      const { enabled, reason = null } = request.body;
      if (enabled) cordon(id, { by: identity.user, reason }, deps);
      else uncordon(id, { by: identity.user, reason }, deps);
      return viewMaintained(id, identity, deps);
    },
  );
}

interface Said {
  readonly by: string;
  readonly reason: string | null;
}

function cordon(id: string, said: Said, { fleet, log }: MaintenanceRoutesDeps): void {
  fleet.cordon(id, said);
  log.info({ gpuId: id, ...said }, "gpu cordoned");
}

function uncordon(id: string, said: Said, { fleet, log, lookAgain }: MaintenanceRoutesDeps): void {
  if (!fleet.snapshot().cordons.has(id)) return;
  fleet.uncordon(id);
  log.info({ gpuId: id, ...said }, "gpu uncordoned");
  lookAgain();
}

function viewMaintained(id: string, identity: Identity, deps: MaintenanceRoutesDeps) {
  const snapshot = deps.fleet.snapshot();
  const maintenance = viewMaintenance(snapshot.cordons.get(id), identity);
  const { fleet, ownLeases } = deps;
  const workers = viewWork(id, { snapshot, retired: () => fleet.retired(), ownLeases });
  return {
    gpu_id: id,
    enabled: maintenance !== null,
    ...(maintenance ?? { reason: null, since: null, by: null }),
    workers,
    drained: maintenance !== null && isIdle(workers),
    lasts: maintenance === null ? null : CORDON_LASTS,
  };
}
