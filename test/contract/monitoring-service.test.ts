import { createMonitoringService } from "../../src/fleet/sources/monitoring-service.ts";
import { reportedGpu, startStubMonitoringService } from "../support/stub-monitoring-service.ts";
import { describeGpuSource } from "./gpu-source.contract.ts";

describeGpuSource("the monitoring service", async () => {
  const service = await startStubMonitoringService();
  let running = true;
  const stop = async () => {
    if (running) await service.close();
    running = false;
  };
  return {
    source: createMonitoringService({ name: "monitor", url: service.url, token: null }),
    report: (ids) => (service.gpus = ids.map((id) => reportedGpu(id))),
    makeCritical: (id) => {
      const health = { status: "critical", errors: ["XID 79"] } as const;
      service.health.set(id, health);
      return health;
    },
    breakDown: stop,
    stop,
  };
});
