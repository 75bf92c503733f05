import type { Clock } from "../../clock.ts";
import { errorCode } from "../../network-failure.ts";
import type { GpuHealth } from "../gpu.ts";
import { healthOf, XidMemory } from "./dcgm-health.ts";
import { readDcgmPage, type DcgmGpu } from "./dcgm-page.ts";
import { createGetAgent, limitedGet, refusal, type GetAnswer } from "./limited-get.ts";
import { readGpus } from "./read-gpus.ts";
import type { GpuSource, PollResult } from "./source.ts";

export interface DcgmExporterOptions {
  readonly name: string;
  /** Base URL; with or without `/metrics` at its end. */
  readonly url: string;
  /** Sent as Bearer, for a proxy in front of the exporter. */
  readonly token: string | null;
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

/** Series of a few thousand GPUs, with all the labels of Kubernetes. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** An exporter asks the driver, and a GPU that is dying can hold that up. */
const TIMEOUT_MS = 5000;

type Healths = ReadonlyMap<string, GpuHealth | null>;

/** GPU telemetry from NVIDIA's dcgm-exporter. Health is told by the page of the latest poll. */
export function createDcgmExporter(options: DcgmExporterOptions): GpuSource {
  const { name, token, timeoutMs = TIMEOUT_MS, clock } = options;
  const url = `${withoutMetrics(options.url)}/metrics`;
  const agent = createGetAgent(timeoutMs);
  const xidMemory = new XidMemory();
  let latest: Healths | null = null;

  async function get(): Promise<GetAnswer> {
    try {
      const limits = { timeoutMs, maxBytes: MAX_BODY_BYTES };
      return await limitedGet(agent, { url, token, clock, ...limits });
    } catch (error) {
      if (errorCode((error as Error).cause) === "ECONNREFUSED") xidMemory.forget();
      throw new Error(`${(error as Error).message}; ${NO_ANSWER_FIX}`, { cause: error });
    }
  }

  async function poll(): Promise<PollResult & { readonly health: Healths }> {
    const { status, text } = await get();
    if (status !== 200) throw new Error(`GET ${url} ${refusal(status)}`);
    const found = await readDcgmPage(text);
    if (found.length === 0) throw new Error(`GET ${url} answered 200 ${NO_GPUS}`);
    const result = readGpus({ gpus: found.map(({ reported }) => reported) });
    const health = healthsOf(found, xidMemory);
    latest = health;
    return { ...result, health };
  }

  return {
    name,
    host: new URL(url).hostname,
    poll,
    async health(gpuId) {
      const healths = latest ?? (await poll()).health;
      return healths.get(gpuId) ?? null;
    },
    close: () => agent.destroy(),
  };
}

/** The exporter that a URL means: people give the page as well as what it is below. */
export function withoutMetrics(url: string): string {
  return url.replace(/\/+(metrics\/*)?$/, "");
}

const NO_ANSWER_FIX =
  "start dcgm-exporter there, or correct gpu_monitoring.url (null = no telemetry)";

const NO_GPUS =
  "without any series of a GPU (DCGM_FI_DEV_… with a label UUID): see in the exporter's log why, or " +
  "check gpu_monitoring.url and source if it is no dcgm-exporter";

function healthsOf(found: readonly DcgmGpu[], memory: XidMemory): Healths {
  const told = found.map(({ reported, evidence }) => [reported.gpu_id, evidence] as const);
  const xids = memory.add(new Map(told));
  const healths = new Map<string, GpuHealth | null>();
  for (const { reported, evidence } of found) {
    const { gpu_id: id } = reported;
    healths.set(id, healthOf({ ...evidence, xids: xids.get(id) ?? null }));
  }
  return healths;
}
