/** One device, as telemetry saw it in one poll. `null` means unknown: never zero, never a guess. */

/** `busy` is information, not a refusal. */
export type GpuStatus = "available" | "busy" | "error" | "maintenance";

export interface GpuProcess {
  readonly pid: number | null;
  readonly name: string | null;
  readonly memoryUsedBytes: number | null;
}

/** The answer of the source's own health check for one GPU. */
export interface GpuHealth {
  readonly status: "healthy" | "warning" | "critical";
  readonly errors: readonly string[];
}

export interface Gpu {
  /** A UUID where the source has one. */
  readonly id: string;
  readonly name: string | null;
  readonly status: GpuStatus;
  /** CUDA compute capability as major.minor, e.g. 8.6 or 12.0. */
  readonly computeCapability: number | null;
  readonly memoryTotalBytes: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryFreeBytes: number | null;
  /** 0..1 */
  readonly utilization: number | null;
  readonly temperatureC: number | null;
  readonly powerUsageW: number | null;
  readonly powerLimitW: number | null;
  /** 0..1, higher is faster; as the source rates it. */
  readonly performanceIndex: number | null;
  /** 0..1, as the source counts it. */
  readonly errorRate: number | null;
  readonly uptimeS: number | null;
  /** null = the source could not list them. */
  readonly processes: readonly GpuProcess[] | null;
  /** URL of the inference server on this GPU, where the source reports one. */
  readonly endpoint: string | null;
  /** Name of the source that reported it. */
  readonly source: string;
  /** Latest health check, carried over from poll to poll; null = never offered. */
  readonly health: GpuHealth | null;
  /** At or above max_temperature, and not yet 5 °C below it again. */
  readonly tooHot: boolean;
  /** Its source answers and no longer reports it: the rest is what was known of it. */
  readonly isMissing: boolean;
}

/** A GPU as a source reads it; the fleet adds what needs memory of earlier polls. */
export type GpuReading = Omit<Gpu, "source" | "health" | "tooHot" | "isMissing">;

/** Degrees below max_temperature at which a GPU that was too hot is used again. */
const COOL_AGAIN_BELOW_C = 5;

/** Hysteresis: out at the limit, back 5 °C below; an unknown temperature keeps the last verdict. */
export function isTooHot(temperatureC: number | null, maxC: number, wasTooHot: boolean): boolean {
  if (temperatureC === null) return wasTooHot;
  return wasTooHot ? temperatureC > maxC - COOL_AGAIN_BELOW_C : temperatureC >= maxC;
}
