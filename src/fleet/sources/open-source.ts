import type { Clock } from "../../clock.ts";
import { createDcgmExporter, withoutMetrics } from "./dcgm.ts";
import { createMonitoringService } from "./monitoring-service.ts";
import { createNvidiaSmi } from "./nvidia-smi.ts";
import { NVIDIA_SMI, type GpuSource } from "./source.ts";

/** Where telemetry comes from, as the operator says it. */
export type SourceSpec =
  | {
      readonly kind: "service" | "dcgm";
      /** Base URL. */
      readonly url: string;
      /** Sent as Bearer. */
      readonly token: string | null;
    }
  | { readonly kind: "nvidia-smi" };

export function openSource(spec: SourceSpec, clock: Clock): GpuSource {
  const name = sourceName(spec);
  switch (spec.kind) {
    case "service":
      return createMonitoringService({ ...spec, name, clock });
    case "dcgm":
      return createDcgmExporter({ ...spec, name, clock });
    case "nvidia-smi":
      return createNvidiaSmi({ name, clock });
  }
}

/** With the path: several may be behind one address, each with a path of its own. */
function sourceName(spec: SourceSpec): string {
  if (spec.kind === "nvidia-smi") return NVIDIA_SMI;
  const { host, pathname } = new URL(spec.url);
  const path = pathname.replace(/\/+$/, "");
  return host + (spec.kind === "dcgm" ? withoutMetrics(path) : path);
}
