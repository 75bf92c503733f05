import type { Gpu } from "./gpu.ts";
import type { WorkerSpec } from "./worker.ts";

/** Workers that exist because telemetry named their URL, and the endpoints that were not followed. */
export interface ReportedWorkers {
  readonly specs: readonly WorkerSpec[];
  /** Endpoint URL -> why it is not used, with the line that would change it. */
  readonly ignored: ReadonlyMap<string, string>;
}

interface Allowance {
  /** network.worker_hosts: without an entry here, a hijacked monitor could send our traffic anywhere. */
  readonly workerHosts: ReadonlySet<string>;
  readonly configuredUrls: ReadonlySet<string>;
}

/** One worker per distinct endpoint, on all GPUs that report it; a configured worker's URL wins. */
export function workersFromEndpoints(gpus: Iterable<Gpu>, allowance: Allowance): ReportedWorkers {
  const gpuIdsByUrl = new Map<string, string[]>();
  const ignored = new Map<string, string>();
  for (const gpu of gpus) {
    if (gpu.endpoint === null) continue;
    const url = originOf(gpu.endpoint);
    if (url === null) {
      ignored.set(gpu.endpoint, "not an http(s) URL without credentials");
    } else if (!allowance.workerHosts.has(new URL(url).hostname)) {
      const host = new URL(url).hostname;
      ignored.set(gpu.endpoint, `add "${host}" to network.worker_hosts to send requests there`);
    } else if (!allowance.configuredUrls.has(url)) {
      const gpuIds = gpuIdsByUrl.get(url);
      if (gpuIds) gpuIds.push(gpu.id);
      else gpuIdsByUrl.set(url, [gpu.id]);
    }
  }
  return { specs: [...gpuIdsByUrl].map(([url, ids]) => reportedWorker(url, ids)), ignored };
}

function originOf(endpoint: string): string | null {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return null;
  return (url.origin + url.pathname).replace(/\/+(v1\/*)?$/, "");
}

function reportedWorker(url: string, gpus: readonly string[]): WorkerSpec {
  return {
    // With the base path, or two servers behind one proxy would share an id.
    id: url.slice(url.indexOf("//") + 2),
    url,
    engine: "openai",
    gpus,
    models: [],
    slots: null,
    types: ["inference"],
    apiKey: null,
    loadTimeoutMs: 300_000,
  };
}
