import type { Clock } from "../clock.ts";
import { isLoopbackHost } from "../config/addresses.ts";
import { startDemoMonitor } from "./demo-monitor.ts";
import { startDemoWorker } from "./demo-worker.ts";
import { DEMO_HARDWARE, DEMO_SLOTS } from "./hardware.ts";
import type { LoopbackServer } from "./loopback-server.ts";
import { SimulatedGpu } from "./simulated-gpu.ts";

/** What a config file would otherwise say: where the monitor and the workers are, and the keys. */
export interface DemoFleet {
  readonly monitoringUrl: string;
  readonly workers: readonly DemoWorkerEntry[];
  readonly keys: readonly DemoKey[];
  /** For the page that everyone can read; null where the keys are a secret. */
  readonly docsKey: string | null;
  /** Ends every server, and every answer that is still being made. */
  close(): Promise<void>;
}

interface DemoWorkerEntry {
  readonly id: string;
  readonly url: string;
  readonly engine: "vllm";
  readonly gpus: readonly string[];
  readonly slots: number;
}

interface DemoKey {
  readonly id: string;
  readonly user: string;
  readonly role: "admin" | "user";
  readonly key: string;
}

export interface DemoOptions {
  readonly clock: Clock;
  /** Where the router itself listens: beyond loopback the keys are random. */
  readonly host: string;
  /** A new random key. */
  readonly makeKey: () => string;
}

/** A fleet without a GPU: real HTTP servers on loopback in front of simulated hardware. */
export async function startDemoFleet(options: DemoOptions): Promise<DemoFleet> {
  // Whatever has started is closed again if a later one cannot start.
  await using starting = new AsyncDisposableStack();
  const keep = (server: LoopbackServer): string =>
    starting.adopt(server, (open) => open.close()).url;

  const workers: DemoWorkerEntry[] = [];
  const gpus = DEMO_HARDWARE.map((hardware) => new SimulatedGpu(hardware, options.clock));
  for (const gpu of gpus) {
    const url = keep(await startDemoWorker(gpu, options.clock));
    const { id } = gpu.hardware;
    workers.push({ id, url, engine: "vllm", gpus: [gpu.id], slots: DEMO_SLOTS });
  }
  const monitoringUrl = keep(await startDemoMonitor(gpus));
  const started = starting.move();
  const keys = demoKeys(options);
  const docsKey = isLoopbackHost(options.host) ? (keys[0]?.key ?? null) : null;
  return { monitoringUrl, workers, keys, docsKey, close: () => started.disposeAsync() };
}

function demoKeys({ host, makeKey }: DemoOptions): readonly DemoKey[] {
  const keyFor = (wellKnown: string): string => (isLoopbackHost(host) ? wellKnown : makeKey());
  return [
    { id: "demo", user: "demo", role: "admin", key: keyFor("demo") },
    { id: "demo-limited", user: "limited", role: "user", key: keyFor("demo-limited") },
  ];
}
