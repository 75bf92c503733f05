import type { Engine } from "../../../src/fleet/engines/engine.ts";
import { engines } from "../../../src/fleet/engines/engines.ts";
import { Fleet } from "../../../src/fleet/fleet.ts";
import type { GpuHealth } from "../../../src/fleet/gpu.ts";
import { createPoller, type PollerOptions, type PollSettings } from "../../../src/fleet/poller.ts";
import { createSpeedBook } from "../../../src/fleet/speed.ts";
import type { GpuSource, PollResult } from "../../../src/fleet/sources/source.ts";
import type { Worker, WorkerSpec } from "../../../src/fleet/worker.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { gpuReading, keepingLog } from "../../support/fleet-builders.ts";

/** A source that says what a test tells it to, and counts. */
export class FakeSource implements GpuSource {
  readonly name: string;
  readonly host: string;
  polls = 0;
  readonly healthAsked: string[] = [];
  /** Called for each poll. */
  onPoll: () => Promise<PollResult> | PollResult = () => ({ gpus: [], problems: [] });
  onHealth: (gpuId: string) => Promise<GpuHealth | null> = () => Promise.resolve(null);

  constructor(name = "monitor", host = "node1") {
    this.name = name;
    this.host = host;
  }

  reports(...ids: readonly string[]): void {
    this.onPoll = () => ({ gpus: ids.map((id) => gpuReading(id)), problems: [] });
  }

  fails(reason = "connection refused"): void {
    this.onPoll = () => Promise.reject(new Error(reason));
  }

  async poll(): Promise<PollResult> {
    this.polls += 1;
    return this.onPoll();
  }

  health(gpuId: string): Promise<GpuHealth | null> {
    this.healthAsked.push(gpuId);
    return this.onHealth(gpuId);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** What a fake engine's worker does when it is asked. */
interface FakeWorker {
  facts: Engine["facts"];
  load: NonNullable<Engine["load"]>;
}

interface SetUp extends Partial<Omit<PollerOptions, "sources" | "settings">> {
  readonly polls?: Partial<PollSettings>;
  readonly sources?: readonly FakeSource[];
  readonly workers?: readonly WorkerSpec[];
  readonly workerHosts?: readonly string[];
}

const POLLS: PollSettings = {
  updateIntervalMs: 5000,
  healthCheckIntervalMs: 60_000,
  retry: { maxRetries: 3, delayMs: 1000 },
};

/** A poller whose workers are all of one fake engine; rounds come every 5 s and 60 s. */
export function setUpPoller(options: SetUp) {
  const { sources = [], workers = [], workerHosts = [], polls = {}, ...changes } = options;
  const clock = new FakeClock();
  const { log, lines } = keepingLog();
  const told: FakeWorker = {
    facts: () => Promise.resolve({ models: ["llama"] }),
    load: () => Promise.resolve({ active: 0 }),
  };
  const asked: string[] = [];
  const fake: Engine = {
    ...engines.vllm,
    facts: (ask) => ask("facts").then(() => told.facts(ask)),
    load: (ask) => ask("load").then(() => told.load(ask)),
  };
  const all = { ...engines, vllm: fake, openai: fake };
  const speeds = createSpeedBook();
  const settings = {
    maxTemperatureC: 85,
    updateIntervalMs: 5000,
    workerHosts,
    engines: all,
    speeds,
  };
  const fleet = new Fleet({ clock, log, workers, ...settings });
  const poller = createPoller({
    fleet,
    sources: () => sources,
    engines: all,
    askWorker(worker: Worker, path) {
      asked.push(`${worker.id} ${path}`);
      return Promise.resolve({ status: 200, text: "" });
    },
    ownLeases: () => 0,
    clock,
    log,
    settings: () => ({ ...POLLS, ...polls }),
    random: () => 0.5,
    ...changes,
  });
  const worker = () => {
    clock.advance(50);
    return fleet.snapshot().workers[0];
  };
  return { clock, lines, told, asked, fleet, poller, worker };
}
