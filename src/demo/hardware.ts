/** What the demo simulates. Speeds and limits are close to the real cards; nothing else is real. */

export interface DemoModel {
  readonly name: string;
  readonly kind: "generation" | "embedding";
  readonly weightsBytes: number;
}

export interface DemoHardware {
  /** Of the worker; its GPU is `gpu-<id>`. */
  readonly id: string;
  readonly name: string;
  readonly computeCapability: number;
  readonly memoryTotalBytes: number;
  /** Relative to the fastest: 1 makes a token in 20 ms when alone. */
  readonly speed: number;
  readonly idlePowerW: number;
  readonly powerLimitW: number;
  /** Where the temperature settles without load, and at full load. */
  readonly idleTemperatureC: number;
  readonly fullTemperatureC: number;
  readonly models: readonly DemoModel[];
}

/** Requests that one simulated worker runs at once; more wait in its line. */
export const DEMO_SLOTS = 8;

const GIB = 2 ** 30;

const SMALL: DemoModel = { name: "demo-small", kind: "generation", weightsBytes: 15 * GIB };
const LARGE: DemoModel = { name: "demo-large", kind: "generation", weightsBytes: 40 * GIB };
const EMBED: DemoModel = { name: "demo-embed", kind: "embedding", weightsBytes: 1 * GIB };

export const DEMO_HARDWARE: readonly DemoHardware[] = [
  {
    id: "h100",
    name: "Simulated H100 80GB",
    computeCapability: 9.0,
    memoryTotalBytes: 80 * GIB,
    speed: 1.0,
    idlePowerW: 70,
    powerLimitW: 700,
    idleTemperatureC: 34,
    fullTemperatureC: 74,
    models: [SMALL, LARGE],
  },
  {
    id: "a100",
    name: "Simulated A100 80GB",
    computeCapability: 8.0,
    memoryTotalBytes: 80 * GIB,
    speed: 0.7,
    idlePowerW: 60,
    powerLimitW: 400,
    idleTemperatureC: 33,
    fullTemperatureC: 71,
    models: [SMALL, LARGE],
  },
  {
    id: "l40s",
    name: "Simulated L40S 48GB",
    computeCapability: 8.9,
    memoryTotalBytes: 48 * GIB,
    speed: 0.5,
    idlePowerW: 35,
    powerLimitW: 350,
    idleTemperatureC: 36,
    fullTemperatureC: 76,
    models: [SMALL, EMBED],
  },
  {
    id: "rtx4090",
    name: "Simulated RTX 4090 24GB",
    computeCapability: 8.9,
    memoryTotalBytes: 24 * GIB,
    speed: 0.45,
    idlePowerW: 25,
    powerLimitW: 450,
    idleTemperatureC: 38,
    fullTemperatureC: 82,
    models: [SMALL, EMBED],
  },
];
