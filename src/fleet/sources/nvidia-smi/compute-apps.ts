import { execFile, type ChildProcess } from "node:child_process";
import type { Clock, Timer } from "../../../clock.ts";
import type { GpuProcess } from "../../gpu.ts";
import { isUnknown, scaled } from "./read-row.ts";

export interface ComputeAppsOptions {
  readonly clock: Clock;
  readonly command: string;
}

/** Processes come and go seldom, and each look is a program of its own. */
const EVERY_MS = 15_000;
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
const BYTES_PER_MIB = 2 ** 20;

/** The name comes last: it alone may hold a comma. */
const ARGS = [
  "--query-compute-apps=gpu_uuid,pid,used_gpu_memory,process_name",
  "--format=csv,noheader,nounits",
];

/** Which processes compute on which GPU. What fails here costs nothing but the processes. */
export class ComputeApps {
  readonly #options: ComputeAppsOptions;
  #processes: ReadonlyMap<string, readonly GpuProcess[]> | null = null;
  #child: ChildProcess | null = null;
  #patience: Timer | null = null;
  #askedAtMs = -Infinity;
  /** Why the latest look failed; null = it did not. */
  problem: string | null = null;

  constructor(options: ComputeAppsOptions) {
    this.#options = options;
  }

  /** As of the latest look; null = unknown, since that failed or has not answered yet. */
  on(gpuId: string): readonly GpuProcess[] | null {
    return this.#processes && (this.#processes.get(gpuId) ?? []);
  }

  /** Looks again where the latest look is old, never twice at once; nobody waits for it. */
  refresh(): void {
    const { clock } = this.#options;
    if (this.#child !== null || clock.now() - this.#askedAtMs < EVERY_MS) return;
    this.#askedAtMs = clock.now();
    try {
      this.#ask();
    } catch {
      this.#take(null, PROCESSES_UNKNOWN);
    }
  }

  #ask(): void {
    const { clock, command } = this.#options;
    const child = execFile(command, ARGS, { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout) => {
      this.#patience?.cancel();
      this.#child = null;
      if (error) this.#take(null, PROCESSES_UNKNOWN);
      else this.#take(processesByGpu(stdout), null);
    });
    this.#patience = clock.after(TIMEOUT_MS, () => {
      // It may be stuck in the driver, where nothing ends it.
      this.#take(null, PROCESSES_UNKNOWN);
      child.kill("SIGKILL");
    });
    this.#child = child;
  }

  #take(
    processes: ReadonlyMap<string, readonly GpuProcess[]> | null,
    problem: string | null,
  ): void {
    this.#processes = processes;
    this.problem = problem;
  }

  close(): void {
    this.#patience?.cancel();
    this.#child?.kill("SIGKILL");
  }
}

const PROCESSES_UNKNOWN = "nvidia-smi --query-compute-apps failed: processes are unknown";

function processesByGpu(stdout: string): ReadonlyMap<string, readonly GpuProcess[]> {
  const byGpu = new Map<string, GpuProcess[]>();
  for (const line of stdout.split("\n")) {
    const [gpuId, pid, memory, ...names] = line.split(",").map((cell) => cell.trim());
    if (gpuId === undefined || names.length === 0) continue;
    const name = names.join(", ");
    const processes = byGpu.get(gpuId) ?? [];
    byGpu.set(gpuId, processes);
    processes.push({
      pid: numberOrNull(pid, 1),
      name: isUnknown(name) ? null : name,
      memoryUsedBytes: numberOrNull(memory, BYTES_PER_MIB),
    });
  }
  return byGpu;
}

function numberOrNull(text: string | undefined, factor: number): number | null {
  const value = scaled(text, factor);
  return typeof value === "number" ? value : null;
}
