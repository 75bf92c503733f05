import { z } from "zod";
import { RouterError } from "../../errors.ts";
import type { Gpu } from "../../fleet/gpu.ts";
import { identityOf } from "../auth.ts";
import { seesEverything } from "../caller.ts";
import { viewGpu, type FleetView } from "../gpu-view.ts";
import type { Identity } from "../keys.ts";
import type { RouterApp } from "../router-app.ts";
import { errorResponses, SECURED } from "../schemas.ts";

/** What a user asked for since the start. */
interface UserTotals {
  readonly userId: string;
  readonly totalRequests: number;
  readonly failedRequests: number;
  readonly totalTokens: number;
  readonly totalMs: number;
}

export interface MetricsRoutesDeps {
  readonly prometheus: { text(): Promise<string>; readonly contentType: string };
  readonly users: () => readonly UserTotals[];
  readonly fleetView: (identity: Identity) => FleetView;
  readonly openLeases: () => number;
  readonly queuedRequests: () => number;
  readonly uptimeMs: () => number;
}

const userMetricsSchema = z.object({
  user_id: z.string(),
  total_requests: z.number(),
  failed_requests: z.number(),
  total_tokens: z.number(),
  average_response_time_ms: z.number(),
});

const metricsSchema = z.object({
  total_requests: z.number(),
  successful_requests: z.number(),
  failed_requests: z.number(),
  active_requests: z.number(),
  queued_requests: z.number(),
  average_response_time_ms: z.number(),
  uptime_ms: z.number(),
  gpu_metrics: z.array(
    z.object({
      gpu_id: z.string(),
      utilization: z.number().nullable(),
      memory_used: z.number().nullable(),
      temperature: z.number().nullable(),
      power_usage: z.number().nullable(),
      active_requests: z.number(),
    }),
  ),
  user_metrics: z.array(userMetricsSchema).describe("The caller's own row; all for operators."),
});

export function metricsRoutes(app: RouterApp, deps: MetricsRoutesDeps): void {
  app.get(
    "/api/v1/metrics",
    {
      config: { access: "user" },
      schema: {
        tags: ["Fleet"],
        summary: "Prometheus text (operators), or JSON with Accept: application/json",
        security: SECURED,
        response: {
          200: {
            description: "What the Accept header asks for.",
            content: {
              "text/plain": { schema: z.string() },
              "application/json": { schema: metricsSchema },
            },
          },
          ...errorResponses("FORBIDDEN"),
        },
      },
    },
    async (request, reply) => {
      const identity = identityOf(request);
      const all = seesEverything(identity);
      if (wantsJson(request.headers.accept)) {
        const mine = (totals: UserTotals): boolean => all || totals.userId === identity.user;
        return viewMetrics(deps, deps.fleetView(identity), deps.users().filter(mine));
      }
      if (!all) {
        const message =
          "Prometheus text needs the role operator or admin; " +
          "Accept: application/json shows your own figures";
        throw new RouterError("FORBIDDEN", message);
      }
      const text = await deps.prometheus.text();
      return reply.header("content-type", deps.prometheus.contentType).send(text);
    },
  );
}

function wantsJson(accept: string | undefined): boolean {
  return accept?.includes("application/json") === true;
}

function viewMetrics(deps: MetricsRoutesDeps, fleet: FleetView, visible: readonly UserTotals[]) {
  const totals = deps.users().reduce(
    (sum, row) => ({
      requests: sum.requests + row.totalRequests,
      failed: sum.failed + row.failedRequests,
      ms: sum.ms + row.totalMs,
    }),
    { requests: 0, failed: 0, ms: 0 },
  );
  return {
    total_requests: totals.requests,
    successful_requests: totals.requests - totals.failed,
    failed_requests: totals.failed,
    active_requests: deps.openLeases(),
    queued_requests: deps.queuedRequests(),
    average_response_time_ms: mean(totals.ms, totals.requests),
    uptime_ms: deps.uptimeMs(),
    gpu_metrics: [...fleet.snapshot.gpus.values()].map((gpu) => viewGpuMetrics(gpu, fleet)),
    user_metrics: visible.map(viewUserMetrics),
  };
}

function viewGpuMetrics(gpu: Gpu, view: FleetView) {
  const { gpu_id, utilization, memory_used, temperature, power_usage, active_requests } = viewGpu(
    gpu,
    view,
  );
  return { gpu_id, utilization, memory_used, temperature, power_usage, active_requests };
}

function viewUserMetrics(row: UserTotals) {
  return {
    user_id: row.userId,
    total_requests: row.totalRequests,
    failed_requests: row.failedRequests,
    total_tokens: row.totalTokens,
    average_response_time_ms: mean(row.totalMs, row.totalRequests),
  };
}

function mean(sum: number, count: number): number {
  return count === 0 ? 0 : Math.round((sum / count) * 10) / 10;
}
