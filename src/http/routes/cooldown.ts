import { z } from "zod";
import type { Cooldowns } from "../../failures/cooldowns.ts";
import type { FleetSnapshot } from "../../fleet/snapshot.ts";
import { checkIsKnown, workersMeantBy } from "../find-workers.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface CooldownRoutesDeps {
  readonly snapshot: () => FleetSnapshot;
  readonly cooldowns: Pick<Cooldowns, "clear">;
  /** Workers may take requests again: those who wait may have them. */
  readonly lookAgain: () => void;
}

const clearedSchema = z.object({
  gpu_id: z.string(),
  cleared: z
    .array(z.string())
    .describe("Workers that get requests again; empty: none was kept out."),
});

export function cooldownRoutes(app: RouterApp, deps: CooldownRoutesDeps): void {
  app.delete(
    "/api/v1/gpus/:gpu_id/cooldown",
    {
      config: { access: "operator" },
      schema: {
        tags: ["Fleet"],
        summary: "End the cooldown of a GPU's workers now",
        description:
          "Also ends pauses and slow starts, and forgets the failures that were counted. A worker's " +
          "own id means that worker alone.",
        security: SECURED,
        params: z.object({ gpu_id: z.string() }),
        response: {
          200: describedJson("What was cleared.", clearedSchema),
          ...errorResponses("FORBIDDEN", "GPU_NOT_FOUND", "BODY_TOO_LARGE"),
        },
      },
    },
    (request) => {
      const { gpu_id } = request.params;
      const snapshot = deps.snapshot();
      checkIsKnown(gpu_id, snapshot);
      const workers = workersMeantBy(gpu_id, snapshot);
      const cleared = workers.filter(({ index }) => deps.cooldowns.clear(index));
      if (cleared.length > 0) deps.lookAgain();
      return { gpu_id, cleared: cleared.map(({ id }) => id) };
    },
  );
}
