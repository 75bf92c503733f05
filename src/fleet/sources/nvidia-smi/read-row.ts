import { contractProcess } from "../../contract-fields.ts";
import type { GpuHealth, GpuProcess } from "../../gpu.ts";
import type { Row } from "./columns.ts";

/** A row in the fields of GET /gpus, to be checked by the same code. */
export type Reported = Readonly<Record<string, unknown>>;

/** null = unknown. */
type Processes = readonly GpuProcess[] | null;

const BYTES_PER_MIB = 2 ** 20;

/** From here on a GPU counts as busy: a desktop alone makes a few percent. */
const BUSY_UTILIZATION = 0.1;

/** `performance_index`, `error_rate` and `uptime` stay unknown: the driver has no such figure. */
export function reportedFrom(row: Row, id: string, processes: Processes): Reported {
  const utilization = scaled(row.utilization, 0.01);
  return {
    gpu_id: id,
    name: isUnknown(row.name) ? null : row.name,
    status: statusOf(row, utilization, processes),
    compute_capability: isUnknown(row.computeCapability) ? null : row.computeCapability,
    memory_total: scaled(row.memoryTotal, BYTES_PER_MIB),
    memory_used: scaled(row.memoryUsed, BYTES_PER_MIB),
    memory_free: scaled(row.memoryFree, BYTES_PER_MIB),
    utilization,
    temperature: scaled(row.temperature, 1),
    power_usage: scaled(row.powerDraw, 1),
    power_limit: scaled(row.powerLimit, 1),
    processes: processes?.map(contractProcess),
  };
}

/** [N/A], N/A, [Not Supported], [Unknown Error], [GPU is lost], ERR! and what else it puts there. */
export function isUnknown(text = ""): boolean {
  return text === "" || /^(?:\[.*\]|N\/A|Not Supported|Unknown Error|ERR!)$/i.test(text);
}

/** Text that is no number stays as it is: the check of GET /gpus then names it. */
export function scaled(text: string | undefined, factor: number): number | string | null {
  if (text === undefined || isUnknown(text)) return null;
  const value = Number(text);
  // Percents divided leave 0.5700000000000001.
  return Number.isNaN(value) ? text : Number((value * factor).toPrecision(12));
}

function statusOf(
  row: Row,
  utilization: number | string | null,
  processes: Processes,
): "available" | "busy" | "error" {
  if (faultOf(row) !== null) return "error";
  const isBusy =
    typeof utilization === "number"
      ? utilization >= BUSY_UTILIZATION
      : processes !== null && processes.length > 0;
  return isBusy ? "busy" : "available";
}

/** Why this GPU computes nothing more, or null. */
function faultOf(row: Row): string | null {
  const cells = Object.values(row);
  if (cells.some((cell) => /GPU is lost/i.test(cell))) {
    return "GPU is lost: it does not answer on its bus; reboot the machine";
  }
  if (cells.some((cell) => /requires reset/i.test(cell))) {
    return "GPU requires a reset: nvidia-smi --gpu-reset, or reboot the machine";
  }
  if (row.recoveryAction === "Reset" || row.recoveryAction === "Reboot") {
    return `the driver asks for a ${row.recoveryAction.toLowerCase()} (gpu_recovery_action)`;
  }
  const unreadable = [row.temperature, row.memoryUsed].every((cell) =>
    /^\[?(?:Unknown Error|ERR!)\]?$/i.test(cell ?? ""),
  );
  return unreadable ? "the driver can read neither its temperature nor its memory" : null;
}

/** Bits of clocks_event_reasons.active, as nvml.h numbers them (nvmlClocksEventReason…). */
const SLOWDOWNS = [
  { bit: 0x40, says: "slowed down by the hardware: too hot (hw_thermal_slowdown)" },
  { bit: 0x80, says: "slowed down by the hardware: power supply (hw_power_brake_slowdown)" },
] as const;
/** Set with either of the above, and for what the driver does not name further. */
const HW_SLOWDOWN_BIT = 0x8;

/**
 * critical = gets no new work; warning = works, and somebody should look. `eccRoseLately`: its count
 * of uncorrected ECC errors rose a short while ago, so what it computes now may be wrong.
 */
export function healthOf(row: Row, eccRoseLately: boolean): GpuHealth {
  const fault = faultOf(row);
  if (fault !== null) return { status: "critical", errors: [fault] };
  const critical: string[] = [];
  const warnings = slowdownsOf(row);
  const eccCount = eccCountOf(row);
  const ecc = `${eccCount} uncorrected ECC errors since the driver was loaded`;
  if (eccRoseLately) critical.push(`${ecc}, the latest just now`);
  else if (eccCount !== null && eccCount > 0)
    warnings.push(`${ecc}: reset the GPU when it is idle`);
  const action = row.recoveryAction ?? "";
  if (action === "Drain and Reset") critical.push(`the driver asks to drain and reset the GPU`);
  if (action === "Drain P2P") warnings.push("the driver asks to stop traffic between GPUs");
  if (critical.length > 0) return { status: "critical", errors: [...critical, ...warnings] };
  return { status: warnings.length > 0 ? "warning" : "healthy", errors: warnings };
}

/** Uncorrected errors; null where the card has no ECC, it is switched off, or cannot be read. */
export function eccCountOf(row: Row): number | null {
  const count = scaled(row.eccUncorrected, 1);
  return typeof count === "number" ? count : null;
}

function slowdownsOf(row: Row): string[] {
  const mask = row.slowdowns ?? "";
  // It has 64 bits, of which the low ones are in use.
  const bits = /^0x[0-9a-f]{1,16}$/i.test(mask) ? Number(BigInt(mask) & 0xffffn) : 0;
  const named = SLOWDOWNS.filter(({ bit }) => (bits & bit) !== 0).map(({ says }) => says);
  if (named.length === 0 && (bits & HW_SLOWDOWN_BIT) !== 0) {
    return ["slowed down by the hardware (hw_slowdown)"];
  }
  return named;
}
