import { systemClock } from "../../src/clock.ts";
import { createDcgmExporter } from "../../src/fleet/sources/dcgm.ts";
import { StubDcgmExporter } from "../support/stub-dcgm-exporter.ts";
import { describeGpuSource } from "./gpu-source.contract.ts";

describeGpuSource("dcgm-exporter", async () => {
  const exporter = await new StubDcgmExporter().listen();
  let running = true;
  const stop = async () => {
    if (running) await exporter.close();
    running = false;
  };
  const { url } = exporter;
  return {
    source: createDcgmExporter({ name: "exporter", url, token: null, clock: systemClock }),
    report: (ids) => exporter.report(ids),
    makeCritical: (id) => {
      exporter.gpus.set(id, { XID_ERRORS: 79 });
      return { status: "critical", errors: ["XID 79"] };
    },
    breakDown: stop,
    stop,
  };
});
