import type { Clock } from "../clock.ts";
import { DEMO_SLOTS } from "./hardware.ts";
import type { DemoHardware } from "./hardware.ts";

/** Time constants: after this long a value has gone 63 % of its way. */
const UTILIZATION_LAG_MS = 2_000;
const TEMPERATURE_LAG_MS = 20_000;

const KV_CACHE_BYTES_PER_REQUEST = 512 * 2 ** 20;

/** Above this the health check says "warning". */
const WARM_C = 80;

/** As the GPU Monitoring Service contract names them: bytes, 0..1, °C, W, seconds. */
export interface GpuTelemetry {
  readonly gpu_id: string;
  readonly name: string;
  readonly status: "available" | "busy";
  readonly compute_capability: number;
  readonly memory_total: number;
  readonly memory_used: number;
  readonly memory_free: number;
  readonly utilization: number;
  readonly temperature: number;
  readonly power_usage: number;
  readonly power_limit: number;
  readonly performance_index: number;
  readonly error_rate: number;
  readonly uptime: number;
  readonly processes: readonly { pid: number; name: string; memory_used: number }[];
}

export interface GpuHealthAnswer {
  readonly gpu_id: string;
  readonly status: "healthy" | "warning";
  readonly errors: readonly string[];
}

/** Telemetry that follows its worker's load as a real card's would, without a timer of its own. */
export class SimulatedGpu {
  readonly id: string;
  readonly #hardware: DemoHardware;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  #runningRequests = 0;
  #utilization = 0;
  #temperatureC: number;
  #asOfMs: number;

  constructor(hardware: DemoHardware, clock: Clock) {
    this.id = `gpu-${hardware.id}`;
    this.#hardware = hardware;
    this.#clock = clock;
    this.#temperatureC = hardware.idleTemperatureC;
    this.#startedAtMs = clock.now();
    this.#asOfMs = this.#startedAtMs;
  }

  get hardware(): DemoHardware {
    return this.#hardware;
  }

  setRunning(requests: number): void {
    this.#catchUp();
    this.#runningRequests = requests;
  }

  telemetry(): GpuTelemetry {
    this.#catchUp();
    const { hardware } = this;
    const memoryUsedBytes = this.#memoryUsedBytes();
    const powerRangeW = hardware.powerLimitW - hardware.idlePowerW;
    return {
      gpu_id: this.id,
      name: hardware.name,
      status: this.#runningRequests > 0 ? "busy" : "available",
      compute_capability: hardware.computeCapability,
      memory_total: hardware.memoryTotalBytes,
      memory_used: memoryUsedBytes,
      memory_free: hardware.memoryTotalBytes - memoryUsedBytes,
      utilization: round(this.#utilization, 3),
      temperature: round(this.#temperatureC, 1),
      power_usage: round(hardware.idlePowerW + powerRangeW * this.#utilization, 1),
      power_limit: hardware.powerLimitW,
      performance_index: hardware.speed,
      error_rate: 0,
      uptime: Math.floor((this.#clock.now() - this.#startedAtMs) / 1000),
      processes: [
        { pid: process.pid, name: `simulated worker ${hardware.id}`, memory_used: memoryUsedBytes },
      ],
    };
  }

  health(): GpuHealthAnswer {
    this.#catchUp();
    if (this.#temperatureC < WARM_C) return { gpu_id: this.id, status: "healthy", errors: [] };
    const text = `simulated temperature ${this.#temperatureC.toFixed(0)} °C is above ${WARM_C} °C`;
    return { gpu_id: this.id, status: "warning", errors: [text] };
  }

  #memoryUsedBytes(): number {
    const weightsBytes = this.#hardware.models.reduce((sum, model) => sum + model.weightsBytes, 0);
    return weightsBytes + this.#runningRequests * KV_CACHE_BYTES_PER_REQUEST;
  }

  /**
   * The exact solution of two lags in a row (utilization follows load, temperature follows the power
   * that utilization draws), so the values do not depend on how often anybody looks.
   */
  #catchUp(): void {
    const nowMs = this.#clock.now();
    const elapsedMs = nowMs - this.#asOfMs;
    this.#asOfMs = nowMs;
    if (elapsedMs <= 0) return;
    const { idleTemperatureC, fullTemperatureC } = this.#hardware;
    const rangeC = fullTemperatureC - idleTemperatureC;
    const load = Math.min(1, this.#runningRequests / DEMO_SLOTS);
    const gap = this.#utilization - load;
    const fast = Math.exp(-elapsedMs / UTILIZATION_LAG_MS);
    const slow = Math.exp(-elapsedMs / TEMPERATURE_LAG_MS);
    const settledC = idleTemperatureC + rangeC * load;
    const transientC = (rangeC * gap) / (1 - TEMPERATURE_LAG_MS / UTILIZATION_LAG_MS);
    this.#temperatureC =
      settledC + transientC * fast + (this.#temperatureC - settledC - transientC) * slow;
    this.#utilization = load + gap * fast;
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
