import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { GpuHealth } from "../../src/fleet/gpu.ts";
import { createMonitoringService } from "../../src/fleet/sources/monitoring-service.ts";
import { readGpus } from "../../src/fleet/sources/read-gpus.ts";
import type { GpuSource } from "../../src/fleet/sources/source.ts";
import type { Log } from "../../src/log.ts";
import { createMonitor } from "../../src/monitoring-service/server.ts";
import { reportedGpu } from "../support/stub-monitoring-service.ts";
import { describeGpuSource } from "./gpu-source.contract.ts";

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

const TOKEN = "a-token-of-the-monitor";

/** A source that says what it is told to. */
class SpokenSource implements GpuSource {
  readonly name = "spoken";
  readonly host = "localhost";
  ids: readonly string[] = [];
  broken = false;
  readonly healths = new Map<string, GpuHealth>();

  async poll() {
    if (this.broken) throw new Error("nvidia-smi is broken");
    return readGpus({ gpus: this.ids.map((id) => reportedGpu(id)) });
  }

  async health(gpuId: string) {
    return this.healths.get(gpuId) ?? null;
  }

  async close() {}
}

describeGpuSource("npm run monitor, as the router asks it", async () => {
  const spoken = new SpokenSource();
  const server = createMonitor({ source: spoken, token: TOKEN, log: SILENT });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    source: createMonitoringService({ name: "monitor", url, token: TOKEN }),
    report: (ids) => (spoken.ids = ids),
    makeCritical: (id) => {
      const health: GpuHealth = { status: "critical", errors: ["GPU is lost"] };
      spoken.healths.set(id, health);
      return health;
    },
    breakDown: async () => {
      spoken.broken = true;
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
});
