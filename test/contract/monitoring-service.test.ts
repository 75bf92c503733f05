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
    setHealth: (id, health) => service.health.set(id, health),
    breakDown: stop,
    stop,
  };
});
