import { z } from "zod";
import type { Cooldowns } from "../../failures/cooldowns.ts";
import type { Overload } from "../../admission/overload.ts";
import type { FleetSnapshot } from "../../fleet/snapshot.ts";
import { healthSchema, viewHealth } from "../health-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, publicErrors } from "../schemas.ts";

const tags = ["Health"];

export interface HealthRoutesDeps {
  readonly snapshot: () => FleetSnapshot;
  readonly cooldowns: Pick<Cooldowns, "isCooling">;
  readonly nowMs: () => number;
  readonly uptimeMs: () => number;
  readonly bootId: string;
  readonly overload: Pick<Overload, "lowestBand" | "shortages">;
  readonly state: {
    /** The first round of polls is over. */
    readonly started: boolean;
    /** It will stop soon, and serves until then. */
    readonly retiring: boolean;
    /** It stops: new work is refused. */
    readonly draining: boolean;
  };
}

export function healthRoutes(app: RouterApp, deps: HealthRoutesDeps): void {
  app.get(
    "/health",
    {
      config: { access: "public" },
      schema: {
        tags,
        summary: "State of process, fleet and monitors; 503 when it can serve nobody",
        response: {
          ...publicErrors(),
          200: describedJson("It can serve somebody.", healthSchema),
          503: describedJson("It can serve nobody.", healthSchema),
        },
      },
    },
    (_request, reply) => {
      const view = viewHealth({
        snapshot: deps.snapshot(),
        isCooling: (index) => deps.cooldowns.isCooling(index),
        nowMs: deps.nowMs(),
        uptimeMs: deps.uptimeMs(),
        bootId: deps.bootId,
        overload: deps.overload,
        ...deps.state,
      });
      void reply.code(view.status === "unhealthy" ? 503 : 200);
      return view;
    },
  );
  registerProbes(app, deps);
}

const readySchema = z.object({ ready: z.boolean() });

function registerProbes(app: RouterApp, { state }: HealthRoutesDeps): void {
  app.get(
    "/health/ready",
    {
      config: { access: "public" },
      schema: {
        tags,
        summary: "Whether to send requests here; fails first when the router stops",
        response: {
          ...publicErrors(),
          200: describedJson("Send requests here.", readySchema),
          503: describedJson("Starting or stopping: send none.", readySchema),
        },
      },
    },
    (_request, reply) => {
      const ready = state.started && !state.retiring && !state.draining;
      void reply.code(ready ? 200 : 503);
      return { ready };
    },
  );
  app.get(
    "/health/live",
    {
      config: { access: "public" },
      schema: {
        tags,
        summary: "200 while the process lives",
        response: {
          ...publicErrors(),
          200: describedJson("The process lives.", z.object({ live: z.literal(true) })),
        },
      },
    },
    () => ({ live: true as const }),
  );
}
