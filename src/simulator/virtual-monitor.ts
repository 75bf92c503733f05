import type { Clock } from "../clock.ts";
import type { GpuHealth, GpuReading } from "../fleet/gpu.ts";
import type { GpuSource, PollResult } from "../fleet/sources/source.ts";
import { moodAt, type MonitorMood, type Phase } from "./scene.ts";

export interface VirtualMonitorDeps {
  readonly clock: Clock;
  /** When the scene began, by that clock. */
  readonly startedAtMs: number;
  readonly phases: readonly Phase<MonitorMood>[];
  readonly gpuIds: readonly string[];
}

const GIB = 2 ** 30;
const SLOW_MS = 3000;

/** The source of GPU telemetry: its phases say what it reports at each time. */
export function createVirtualMonitor(name: string, deps: VirtualMonitorDeps): GpuSource {
  const { clock, startedAtMs, phases, gpuIds } = deps;
  const first = gpuIds[0];
  const moodNow = async (): Promise<MonitorMood> => {
    const mood = moodAt(phases, clock.now() - startedAtMs);
    await new Promise<void>((resolve) => clock.after(mood === "slow" ? SLOW_MS : 2, resolve));
    if (mood === "down") throw new Error("connection refused");
    if (mood === "garbage") throw new Error("answered without a list of GPUs");
    return mood;
  };
  return {
    name,
    host: "monitor.test",
    async poll(): Promise<PollResult> {
      const mood = await moodNow();
      const gpus = present(gpuIds, mood).map((id) => readingOf(id, id === first ? mood : "well"));
      return { gpus: mood === "unknowing" ? gpus.map(unknown) : gpus, problems: [] };
    },
    async health(gpuId): Promise<GpuHealth | null> {
      const isBroken = (await moodNow()) === "critical" && gpuId === first;
      return isBroken
        ? { status: "critical", errors: ["XID 79"] }
        : { status: "healthy", errors: [] };
    },
    close: () => Promise.resolve(),
  };
}

function present(gpuIds: readonly string[], mood: MonitorMood): readonly string[] {
  if (mood === "empty") return [];
  if (mood === "vanished") return gpuIds.slice(1);
  return mood === "halved" ? gpuIds.slice(0, Math.ceil(gpuIds.length / 2)) : gpuIds;
}

function readingOf(id: string, mood: MonitorMood): GpuReading {
  return {
    id,
    name: "Virtual 80GB",
    status: mood === "broken" ? "error" : "available",
    computeCapability: 9,
    memoryTotalBytes: 80 * GIB,
    memoryUsedBytes: 20 * GIB,
    memoryFreeBytes: 60 * GIB,
    utilization: 0.5,
    temperatureC: mood === "hot" ? 95 : 60,
    powerUsageW: null,
    powerLimitW: null,
    performanceIndex: null,
    errorRate: 0,
    uptimeS: null,
    processes: [],
    endpoint: null,
  };
}

function unknown(reading: GpuReading): GpuReading {
  const nothing = { temperatureC: null, utilization: null, computeCapability: null };
  return { ...reading, ...nothing, memoryTotalBytes: null, memoryFreeBytes: null };
}
