import type { viewGpu, viewWorker } from "../http/gpu-view.ts";
import type { viewCordons } from "../http/maintenance-view.ts";
import { duration, memory, percent, power, temperature } from "./quantities.ts";
import { shortIds } from "./short-ids.ts";
import { layoutTable, painted, type Cell, type Column, type Page } from "./table.ts";

type GpuRow = ReturnType<typeof viewGpu>;
type WorkerRow = ReturnType<typeof viewWorker>;

/** What GET /api/v1/gpus answers. */
export interface FleetBody {
  readonly gpus: readonly GpuRow[];
  readonly workers: readonly WorkerRow[];
  /** null = for operators. */
  readonly cordons: ReturnType<typeof viewCordons>;
}

type Listed = Pick<FleetBody, "gpus" | "workers">;

/** Those that workers are configured with may be known to no monitor. */
export function gpuIdsOf({ gpus, workers }: Listed): string[] {
  const ids = [...gpus.map((gpu) => gpu.gpu_id), ...workers.flatMap((worker) => worker.gpu_ids)];
  return [...new Set(ids)];
}

const GPU_COLUMNS: readonly Column[] = [
  { title: "GPU" },
  { title: "NAME", least: 8, spare: 1 },
  { title: "STATE" },
  { title: "UTIL", align: "right" },
  { title: "MEMORY", align: "right", spare: 5 },
  { title: "TEMP", align: "right" },
  { title: "POWER", align: "right", spare: 3 },
  { title: "RUN", align: "right" },
  { title: "WAIT", align: "right" },
  { title: "WORKERS", least: 8, spare: 4 },
  { title: "AGE", align: "right", spare: 2 },
];

/** `atWallMs`: when the router said so. */
export function gpusTable(fleet: FleetBody, atWallMs: number, page: Page): string[] {
  const { gpus, workers } = fleet;
  const unlisted = unlistedCordons(fleet, atWallMs);
  if (gpus.length === 0) {
    const none = "no monitor reports a GPU; npm run ctl -- workers lists the workers";
    return withNotes([none], unlisted, page);
  }
  const short = shortIds(gpuIdsOf({ gpus, workers }));
  const out = new Set(workers.filter((w) => w.maintenance !== null).map((w) => w.worker_id));
  const rows = gpus.map((gpu): Cell[] => [
    short.get(gpu.gpu_id) ?? gpu.gpu_id,
    gpu.name ?? "-",
    gpuState(gpu),
    percent(gpu.utilization),
    memory(gpu.memory_used, gpu.memory_total),
    gpu.too_hot
      ? { text: temperature(gpu.temperature), colour: "red" }
      : temperature(gpu.temperature),
    power(gpu.power_usage, gpu.power_limit),
    String(gpu.active_requests),
    String(gpu.queued_requests),
    // A GPU in service may have a worker that is not.
    gpu.workers
      .map((id) => (gpu.maintenance === null && out.has(id) ? `${id} (cordoned)` : id))
      .join(" ") || "-",
    duration(gpu.age_ms),
  ]);
  const notes = gpus.flatMap((gpu) => {
    const id = short.get(gpu.gpu_id) ?? gpu.gpu_id;
    const errors = gpu.health?.errors ?? [];
    const said = errors.length === 0 ? [] : [`${id}: ${errors.join("; ")}`];
    return [...notesOf(id, gpu, atWallMs), ...said];
  });
  return withNotes(layoutTable(GPU_COLUMNS, rows, page), [...notes, ...unlisted], page);
}

/** Of ids that neither a GPU nor a worker has now. */
function unlistedCordons({ gpus, workers, cordons }: FleetBody, atWallMs: number): string[] {
  const shown = new Set([...gpus.map((g) => g.gpu_id), ...workers.map((w) => w.worker_id)]);
  const unlisted = (cordons ?? []).filter(({ gpu_id: id }) => !shown.has(id));
  return unlisted.map((cordon) => `${cordonNote(cordon.gpu_id, cordon, atWallMs)} (not listed)`);
}

/** The first thing that keeps requests from it, or what its monitor says. */
function gpuState({ status, health, too_hot, cooldown, maintenance }: GpuRow): Cell {
  if (maintenance !== null) return { text: "cordoned", colour: "yellow" };
  if (status === "error" || status === "maintenance") return { text: status, colour: "red" };
  if (health?.status === "critical") return { text: "critical", colour: "red" };
  if (too_hot) return { text: "too hot", colour: "red" };
  if (cooldown !== null) return cooldownCell(cooldown);
  if (health?.status === "warning") return { text: "warning", colour: "yellow" };
  return { text: status, colour: "green" };
}

const WORKER_COLUMNS: readonly Column[] = [
  { title: "WORKER", least: 12 },
  { title: "ENGINE", spare: 1 },
  { title: "STATE" },
  { title: "RUN", align: "right" },
  { title: "SLOTS", align: "right" },
  { title: "ERRORS", align: "right", spare: 2 },
  { title: "GPUS", least: 8, spare: 3 },
  { title: "MODELS", least: 12, spare: 4 },
];

export function workersTable({ gpus, workers }: FleetBody, atWallMs: number, page: Page): string[] {
  if (workers.length === 0) return ["no workers are known: list them under workers: in the config"];
  const short = shortIds(gpuIdsOf({ gpus, workers }));
  const rows = workers.map((worker): Cell[] => [
    worker.worker_id,
    worker.engine,
    workerState(worker),
    String(worker.active_requests),
    String(worker.slots),
    percent(worker.error_rate),
    worker.gpu_ids.map((id) => short.get(id) ?? id).join(" ") || "-",
    worker.models.join(" ") || "-",
  ]);
  const notes = workers.flatMap((worker) => {
    const { worker_id: id, state, state_reason: reason } = worker;
    const said = state === "up" || reason === null ? [] : [`${id}: ${state}: ${reason}`];
    return [...notesOf(id, worker, atWallMs), ...said];
  });
  return withNotes(layoutTable(WORKER_COLUMNS, rows, page), notes, page);
}

function workerState({ state, cooldown, maintenance }: WorkerRow): Cell {
  if (maintenance !== null) {
    // Before it is put back, somebody waits for it to be up again.
    return { text: state === "up" ? "cordoned" : `cordoned, ${state}`, colour: "yellow" };
  }
  if (state !== "up") return { text: state, colour: state === "down" ? "red" : "yellow" };
  return cooldown === null ? { text: state, colour: "green" } : cooldownCell(cooldown);
}

function cooldownCell({ state }: NonNullable<WorkerRow["cooldown"]>): Cell {
  return {
    text: state.replace("_", " "),
    colour: state === "cooling" || state === "probing" ? "red" : "yellow",
  };
}

/** The reasons, for which columns have no room. */
function notesOf(
  id: string,
  { maintenance, cooldown }: Pick<WorkerRow, "maintenance" | "cooldown">,
  atWallMs: number,
): string[] {
  const notes: string[] = [];
  if (maintenance !== null) notes.push(cordonNote(id, maintenance, atWallMs));
  if (cooldown !== null) {
    const { state, reason, until } = cooldown;
    const left = state === "probing" ? "" : ` for ${duration(Date.parse(until) - atWallMs)} more`;
    notes.push(`${id}: ${state.replace("_", " ")}${left}: ${reason}`);
  }
  return notes;
}

function cordonNote(
  id: string,
  { reason, since, by }: NonNullable<WorkerRow["maintenance"]>,
  atWallMs: number,
): string {
  const who = by === null ? "" : ` by ${by}`;
  const ago = duration(atWallMs - Date.parse(since));
  return `${id}: cordoned${who} ${ago} ago${reason === null ? "" : `: ${reason}`}`;
}

function withNotes(lines: readonly string[], notes: readonly string[], page: Page): string[] {
  return notes.length === 0
    ? [...lines]
    : [...lines, "", ...notes.map((note) => painted(note, page))];
}
