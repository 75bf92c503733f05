import { z } from "zod";
import type { Overload } from "../admission/overload.ts";
import type { Gpu } from "../fleet/gpu.ts";
import type { FleetSnapshot, SourceState } from "../fleet/snapshot.ts";
import { NVIDIA_SMI } from "../fleet/sources/source.ts";
import type { Worker } from "../fleet/worker.ts";

/** The state of process, fleet and monitors. Public, so it names no address and no user. */

const monitorSchema = z.object({
  name: z.string(),
  status: z.enum(["ok", "failing", "waiting"]),
  age_ms: z.number().nullable().describe("Since the last good poll."),
});

const healthFields = z.object({
  status: z.enum(["healthy", "degraded", "unhealthy"]),
  reasons: z.array(z.string()).describe("Why it is not healthy."),
  boot_id: z.string().describe("Changes with every start: jobs of an older one are forgotten."),
  uptime_ms: z.number(),
  workers: z.object({
    up: z.number(),
    starting: z.number(),
    down: z.number(),
    cooling: z.number(),
    cordoned: z.number().describe("By an operator, whatever their state."),
  }),
  gpus: z.number(),
  monitors: z.array(monitorSchema),
});

export const healthSchema = healthFields
  .describe("The state of process, fleet and monitors.")
  .meta({ id: "Health" });

const TOP_BAND = 5;

export interface HealthInput {
  readonly snapshot: FleetSnapshot;
  readonly isCooling: (workerIndex: number) => boolean;
  readonly nowMs: number;
  readonly uptimeMs: number;
  readonly bootId: string;
  readonly overload: Pick<Overload, "lowestBand" | "shortages">;
  readonly retiring: boolean;
  readonly draining: boolean;
}

export function viewHealth(input: HealthInput): z.output<typeof healthSchema> {
  const { snapshot, nowMs } = input;
  const workers = countWorkers(input);
  const reasons = reasonsFor(input, workers);
  const takesWork = !input.draining && input.overload.lowestBand <= TOP_BAND;
  const serving = takesWork && snapshot.workers.some((worker) => isUsable(worker, input));
  return {
    status: serving ? (reasons.length === 0 ? "healthy" : "degraded") : "unhealthy",
    reasons,
    boot_id: input.bootId,
    uptime_ms: input.uptimeMs,
    workers,
    gpus: snapshot.gpus.size,
    monitors: snapshot.sources.map(({ name, failure, lastSuccessAtMs }, index) => ({
      name: monitorName(name, index),
      status: failure !== null ? "failing" : lastSuccessAtMs === null ? "waiting" : "ok",
      age_ms: lastSuccessAtMs === null ? null : Math.round(nowMs - lastSuccessAtMs),
    })),
  };
}

function isUsable({ index, state, cordon }: Worker, { isCooling }: HealthInput): boolean {
  return state === "up" && cordon === null && !isCooling(index);
}

type WorkerCounts = z.output<typeof healthSchema>["workers"];

function countWorkers({ snapshot, isCooling }: HealthInput): WorkerCounts {
  const counts = { up: 0, starting: 0, down: 0, cooling: 0, cordoned: 0 };
  for (const worker of snapshot.workers) {
    counts[worker.state] += 1;
    if (worker.state === "up" && isCooling(worker.index)) counts.cooling += 1;
    if (worker.cordon !== null) counts.cordoned += 1;
  }
  return counts;
}

function reasonsFor(input: HealthInput, workers: WorkerCounts): string[] {
  const { snapshot, draining, retiring, overload } = input;
  const reasons: string[] = [];
  if (draining) reasons.push("the router is stopping");
  else if (retiring) reasons.push("the router will stop in a few seconds, and serves until then");
  if (overload.lowestBand > 1) {
    const short = overload.shortages.join(" and ");
    reasons.push(`short of ${short}: priorities below ${overload.lowestBand} are refused`);
  }
  if (snapshot.workers.length === 0) reasons.push("no workers are configured");
  for (const state of ["starting", "down", "cooling", "cordoned"] as const) {
    if (workers[state] > 0) reasons.push(`${workers[state]} worker(s) ${state}`);
  }
  const onBadGpu = snapshot.workers.filter(({ gpus }) => gpus.some(isUnfit)).length;
  if (onBadGpu > 0) {
    reasons.push(`${onBadGpu} worker(s) with a GPU that is too hot, broken or no longer reported`);
  }
  for (const [index, source] of snapshot.sources.entries()) {
    if (source.failure !== null)
      reasons.push(`${monitorName(source.name, index)} ${failingSince(source, input)}`);
  }
  return reasons;
}

function isUnfit({ tooHot, isMissing, status, health }: Gpu): boolean {
  const isDown = status === "error" || status === "maintenance";
  return tooHot || isMissing || isDown || health?.status === "critical";
}

function failingSince({ lastSuccessAtMs, isOutdated }: SourceState, { nowMs }: HealthInput) {
  if (!isOutdated || lastSuccessAtMs === null)
    return "fails: routing on what was known; the log says why";
  const silentS = Math.round((nowMs - lastSuccessAtMs) / 1000);
  return `has failed for ${silentS} s: its temperatures, memory and utilization count as unknown`;
}

/** In the order of gpu_monitoring.url and urls: the address is for those with a key. */
function monitorName(source: string, index: number): string {
  return source === NVIDIA_SMI ? source : `monitor-${index + 1}`;
}
