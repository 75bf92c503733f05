import { z } from "zod";
import type { Lease } from "../admission/leases.ts";
import type { Cooldown } from "../failures/cooldown-view.ts";
import { contractFields, contractProcess } from "../fleet/contract-fields.ts";
import type { Gpu } from "../fleet/gpu.ts";
import type { FleetSnapshot, RetiredWorker } from "../fleet/snapshot.ts";
import type { Worker } from "../fleet/worker.ts";
import { seesEverything } from "./caller.ts";
import type { Identity } from "./keys.ts";
import { maintenanceSchema, viewMaintenance } from "./maintenance-view.ts";

/** GPUs and workers as seen from outside. An allow list: keys never, URLs for operators only. */

const known = z.number().nullable();

const cooldownSchema = z
  .object({
    state: z
      .enum(["paused", "cooling", "probing", "warming_up"])
      .describe(
        "paused: it was too busy. cooling: it failed. probing: one request at a time shows " +
          "whether it is back. warming_up: it is, and gets more step by step.",
      ),
    reason: z.string(),
    until: z.string().describe("In the past while probing."),
  })
  .nullable()
  .describe("null = nothing keeps requests from it.");

const processSchema = z.object({
  pid: known,
  name: z.string().nullable(),
  memory_used: known.describe("Bytes."),
});

const leaseSchema = z.object({
  request_id: z.string().nullable().describe("null = another user's."),
  user_id: z.string().nullable(),
  worker_id: z.string(),
  running_ms: z.number(),
});

const gpuFields = z.object({
  gpu_id: z.string(),
  name: z.string().nullable(),
  status: z.enum(["available", "busy", "error", "maintenance"]),
  compute_capability: known,
  memory_total: known.describe("Bytes."),
  memory_used: known.describe("Bytes."),
  memory_free: known.describe("Bytes."),
  utilization: known.describe("0..1"),
  temperature: known.describe("°C"),
  too_hot: z.boolean().describe("At max_temperature, or not yet 5 °C below it again."),
  power_usage: known.describe("W"),
  power_limit: known.describe("W"),
  performance_index: known.describe("0..1"),
  error_rate: known.describe("0..1, as its source counts it."),
  uptime: known.describe("Seconds."),
  health: z.object({ status: z.string(), errors: z.array(z.string()) }).nullable(),
  active_requests: z.number(),
  queued_requests: z.number().describe("Waiting for a slot, for models that are served on it."),
  cooldown: cooldownSchema,
  maintenance: maintenanceSchema,
  workers: z.array(z.string()),
  source: z.string().nullable().describe("The monitor that reports it; for operators."),
  age_ms: known.describe("Age of the telemetry."),
});

export const gpuSchema = gpuFields.describe("A GPU as known now.").meta({ id: "Gpu" });

export const gpuDetailSchema = gpuFields
  .extend({
    active_requests: z.array(leaseSchema),
    processes: z.array(processSchema).nullable().describe("For operators."),
  })
  .describe("A GPU, with the requests that run on it.")
  .meta({ id: "GpuDetail" });

const workerFields = z.object({
  worker_id: z.string(),
  engine: z.string(),
  url: z.string().nullable().describe("For operators."),
  state: z.enum(["starting", "up", "down"]),
  state_reason: z.string().nullable(),
  models: z.array(z.string()),
  types: z.array(z.string()),
  gpu_ids: z.array(z.string()),
  slots: z.number(),
  active_requests: z.number(),
  error_rate: z.number().describe("0..1, of our requests in the last minute."),
  cooldown: cooldownSchema,
  maintenance: maintenanceSchema,
});

export const workerSchema = workerFields.describe("A worker as known now.").meta({ id: "Worker" });

/** The fleet at one moment, for one caller. */
export interface FleetView {
  readonly identity: Identity;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly snapshot: FleetSnapshot;
  readonly retired: () => readonly RetiredWorker[];
  readonly ownLeases: (workerIndex: number) => number;
  /** Requests that wait for a slot and want one of these models. */
  readonly queuedFor: (models: { has(model: string): boolean }) => number;
  readonly openOn: (workerIndex: number) => readonly Lease[];
  readonly cooldownOf: (workerIndex: number) => Cooldown | null;
  readonly errorRateOf: (workerIndex: number) => number;
}

export function viewGpu(gpu: Gpu, view: FleetView) {
  const workers = workersOn(gpu, view);
  return {
    ...contractFields(gpu),
    too_hot: gpu.tooHot,
    health: gpu.health === null ? null : { ...gpu.health, errors: [...gpu.health.errors] },
    active_requests: workers.reduce((sum, worker) => sum + view.ownLeases(worker.index), 0),
    queued_requests: view.queuedFor({
      has: (model) => workers.some(({ models }) => models.has(model)),
    }),
    cooldown: workers.map((w) => viewCooldown(w, view)).find((c) => c !== null) ?? null,
    maintenance: viewMaintenance(view.snapshot.cordons.get(gpu.id), view.identity),
    workers: workers.map((worker) => worker.id),
    source: seesEverything(view.identity) ? gpu.source : null,
    age_ms: ageMs(gpu.source, view),
  };
}

export function viewGpuDetail(gpu: Gpu, view: FleetView) {
  const leases = workersOn(gpu, view).flatMap((worker) =>
    view.openOn(worker.index).map((lease) => viewLease(lease, worker, view)),
  );
  return {
    ...viewGpu(gpu, view),
    active_requests: leases,
    processes: seesEverything(view.identity) ? (gpu.processes?.map(contractProcess) ?? null) : null,
  };
}

export function viewWorker(worker: Worker, view: FleetView) {
  return {
    worker_id: worker.id,
    engine: worker.engine,
    url: seesEverything(view.identity) ? worker.url : null,
    state: worker.state,
    state_reason: worker.stateReason,
    models: [...worker.models.keys()],
    types: [...worker.types],
    gpu_ids: [...worker.gpuIds],
    slots: worker.slots,
    active_requests: view.ownLeases(worker.index),
    error_rate: view.errorRateOf(worker.index),
    cooldown: viewCooldown(worker, view),
    maintenance: viewMaintenance(worker.cordon, view.identity),
  };
}

function workersOn(gpu: Gpu, { snapshot }: FleetView): Worker[] {
  return snapshot.workers.filter((worker) => worker.gpuIds.includes(gpu.id));
}

function viewCooldown(worker: Worker, view: FleetView) {
  const cooldown = view.cooldownOf(worker.index);
  if (cooldown === null) return null;
  const until = new Date(view.wallMs + cooldown.untilMs - view.nowMs).toISOString();
  return { state: cooldown.state, reason: cooldown.reason, until };
}

/** What others run is counted, and not named. */
function viewLease(lease: Lease, worker: Worker, { identity, nowMs }: FleetView) {
  const visible = lease.user === identity.user || seesEverything(identity);
  return {
    request_id: visible ? lease.requestId : null,
    user_id: visible ? lease.user : null,
    worker_id: worker.id,
    running_ms: Math.round(nowMs - lease.takenAtMs),
  };
}

function ageMs(source: string, { snapshot, nowMs }: FleetView): number | null {
  const seenAtMs = snapshot.sources.find((state) => state.name === source)?.lastSuccessAtMs;
  return seenAtMs == null ? null : Math.round(nowMs - seenAtMs);
}
