import type { GpuProcess, GpuReading, GpuStatus } from "../gpu.ts";
import {
  noNote,
  readCapability,
  readNumber,
  readText,
  type Note,
  type NumberField,
} from "./read-fields.ts";
import type { PollResult } from "./source.ts";

/**
 * The body of GET /gpus, made safe: an item that is no GPU is dropped, a field that makes no sense
 * becomes unknown, and both are named. One bad sensor must not cost the others their telemetry.
 */

type Item = Readonly<Record<string, unknown>>;

const MAX_GPUS = 10_000;
const MAX_PROBLEMS = 100;
const MAX_PROCESSES = 256;
/** Below this no GPU exists, but every GPU's memory in MiB does. */
const LEAST_MEMORY_BYTES = 16 * 1024 * 1024;
/** Ids become response headers and URL paths. */
const ID = /^[ -~]{1,256}$/;
const STATUSES: readonly string[] = ["available", "busy", "error", "maintenance"];

const FIELDS = {
  memoryTotal: { field: "memory_total", max: 1e15, unit: "bytes" },
  memoryUsed: { field: "memory_used", max: 1e15, unit: "bytes" },
  memoryFree: { field: "memory_free", max: 1e15, unit: "bytes" },
  utilization: { field: "utilization", max: Infinity, unit: "" },
  temperature: { field: "temperature", max: 150, unit: "°C" },
  powerUsage: { field: "power_usage", max: 10_000, unit: "W" },
  powerLimit: { field: "power_limit", max: 10_000, unit: "W" },
  performanceIndex: { field: "performance_index", max: 1, unit: "" },
  errorRate: { field: "error_rate", max: 1, unit: "" },
  uptime: { field: "uptime", max: 1e10, unit: "s" },
  pid: { field: "pid", max: 2 ** 32, unit: "" },
} as const satisfies Record<string, NumberField>;

/** Throws when there is no list of GPUs at all; the message says what was found instead. */
export function readGpus(body: unknown): PollResult {
  const items = typeof body === "object" && body !== null && "gpus" in body ? body.gpus : null;
  if (!Array.isArray(items)) throw new Error('JSON without a list "gpus", expected {"gpus":[…]}');
  const problems = new Set<string>();
  const note: Note = (text) => {
    if (problems.size < MAX_PROBLEMS) problems.add(text);
    else problems.add("there are more problems like these");
  };
  if (items.length > MAX_GPUS) note(`more than ${MAX_GPUS} GPUs are reported; the rest is ignored`);
  const gpus = new Map<string, GpuReading>();
  const utilization = new UtilizationCheck();
  items.slice(0, MAX_GPUS).forEach((item: unknown, index) => {
    const id = readId(item, index, note);
    if (id === null) return;
    if (gpus.has(id)) note(`gpu_id ${id} is reported twice; the first one counts`);
    else gpus.set(id, readGpu(item as Item, id, { note, utilization }));
  });
  utilization.conclude(note);
  return { gpus: [...gpus.values()], problems: [...problems] };
}

function readId(item: unknown, index: number, note: Note): string | null {
  if (typeof item !== "object" || item === null || Array.isArray(item)) {
    note(`gpus[${index}] is not an object; it is ignored`);
    return null;
  }
  const { gpu_id: id } = item as Item;
  if (typeof id !== "string" || !ID.test(id)) {
    note(`gpus[${index}] has no usable gpu_id, expected 1 to 256 ASCII characters; it is ignored`);
    return null;
  }
  return id;
}

interface Reading {
  readonly note: Note;
  readonly utilization: UtilizationCheck;
}

function readGpu(item: Item, id: string, reading: Reading): GpuReading {
  const note: Note = (text) => reading.note(`${id}: ${text}`);
  return {
    id,
    name: readText(item, "name", note),
    status: readStatus(item.status, note),
    computeCapability: readCapability(item.compute_capability, note),
    ...readMemory(item, note),
    utilization: reading.utilization.read(item, id, note),
    temperatureC: readNumber(item, FIELDS.temperature, note),
    powerUsageW: readNumber(item, FIELDS.powerUsage, note),
    powerLimitW: readNumber(item, FIELDS.powerLimit, note),
    performanceIndex: readNumber(item, FIELDS.performanceIndex, note),
    errorRate: readNumber(item, FIELDS.errorRate, note),
    uptimeS: readNumber(item, FIELDS.uptime, note),
    processes: readProcesses(item.processes),
    endpoint: readText(item, "endpoint", note),
  };
}

/** A status that we do not know is a typo sooner than a fault: it must not take a GPU away. */
function readStatus(value: unknown, note: Note): GpuStatus {
  const status = typeof value === "string" ? value.trim().toLowerCase() : "";
  if (STATUSES.includes(status)) return status as GpuStatus;
  note(`status is not one of ${STATUSES.join(", ")}; taken as available`);
  return "available";
}

type Memory = Pick<GpuReading, "memoryTotalBytes" | "memoryUsedBytes" | "memoryFreeBytes">;

function readMemory(item: Item, note: Note): Memory {
  const total = readNumber(item, FIELDS.memoryTotal, note);
  const used = readNumber(item, FIELDS.memoryUsed, note);
  const free = readNumber(item, FIELDS.memoryFree, note);
  if (total !== null && total < LEAST_MEMORY_BYTES) {
    note("memory_total is below 16 MiB: looks like MiB, expected bytes; memory is unknown");
    return { memoryTotalBytes: null, memoryUsedBytes: null, memoryFreeBytes: null };
  }
  return {
    memoryTotalBytes: total,
    memoryUsedBytes: used,
    memoryFreeBytes: free === null ? difference(total, used) : upTo(total, free, note),
  };
}

function difference(total: number | null, used: number | null): number | null {
  return total !== null && used !== null && used <= total ? total - used : null;
}

function upTo(total: number | null, free: number, note: Note): number | null {
  if (total === null || free <= total) return free;
  note("memory_free is above memory_total; taken as unknown");
  return null;
}

function readProcesses(value: unknown): GpuProcess[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_PROCESSES).flatMap((process: unknown) => {
    if (typeof process !== "object" || process === null) return [];
    const item = process as Item;
    const pid = readNumber(item, FIELDS.pid, noNote);
    const memoryUsedBytes = readNumber(item, FIELDS.memoryUsed, noNote);
    return [{ pid, name: readText(item, "name", noNote), memoryUsedBytes }];
  });
}

/** Values above 1 are unknown; whether they are percent shows only when all of them are read. */
class UtilizationCheck {
  readonly #aboveOne: string[] = [];
  #plausible = 0;

  read(item: Item, id: string, note: Note): number | null {
    const value = readNumber(item, FIELDS.utilization, note);
    if (value !== null && value > 1) {
      this.#aboveOne.push(id);
      return null;
    }
    if (value !== null && value > 0) this.#plausible += 1;
    return value;
  }

  conclude(note: Note): void {
    if (this.#aboveOne.length > 0 && this.#plausible === 0) {
      note("utilization looks like percent, expected 0 to 1: divide it by 100 in the service");
      return;
    }
    for (const id of this.#aboveOne) note(`${id}: utilization is above 1; taken as unknown`);
  }
}
