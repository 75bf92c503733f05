import type { Gpu } from "./gpu.ts";
import { withoutMoment } from "./outdated.ts";
import { hostOf } from "./this-machine.ts";
import type { WorkerSpec } from "./worker.ts";

/**
 * GPUs that a configured worker names and that their source, though it answers, reports no longer.
 * Forgetting them would turn their workers into ones whose GPUs telemetry does not know, and requests
 * would go on to a card that has fallen off the bus.
 */

type Gpus = ReadonlyMap<string, Gpu>;

/** Which GPUs the configured workers name: by id, or (auto) all that the source on their host reports. */
export interface NamedGpus {
  readonly ids: ReadonlySet<string>;
  readonly autoHosts: ReadonlySet<string>;
}

export function namedGpus(workers: readonly WorkerSpec[]): NamedGpus {
  const auto = workers.filter(({ gpus }) => gpus === "auto");
  return {
    ids: new Set(workers.flatMap(({ gpus }) => (gpus === "auto" ? [] : gpus))),
    autoHosts: new Set(auto.map(({ url }) => hostOf(url))),
  };
}

export interface SourceReport {
  /** What the source reported last time and now. */
  readonly before: Gpus;
  readonly after: Gpus;
  /** What was missing until now. */
  readonly missing: Gpus;
  /** True where a worker has the GPUs of this source by `gpus: auto`. */
  readonly isAuto: boolean;
  readonly namedIds: ReadonlySet<string>;
}

/** Those of one source that are missing after its report. */
export function missingAfter(report: SourceReport): Map<string, Gpu> {
  const { before, after, missing, namedIds } = report;
  const known = before.size + missing.size;
  const gone: Gpu[] = [];
  for (const gpus of [before, missing]) {
    for (const gpu of gpus.values()) if (!after.has(gpu.id)) gone.push(gpu);
  }
  // A source that knows none of its GPUs any more has given them other names.
  if (known > 1 && gone.length === known && after.size > 0) return new Map();
  const kept = gone.filter(({ id }) => namedIds.has(id));
  if (report.isAuto) {
    // A new GPU takes the place of one that is gone, so ids that are invented do not pile up.
    const places = Math.max(0, known - after.size);
    kept.push(...gone.filter(({ id }) => !namedIds.has(id)).slice(0, places));
  }
  return new Map(kept.map((gpu) => [gpu.id, asMissing(gpu)]));
}

/** What never changes about a card is still known of it. */
function asMissing(gpu: Gpu): Gpu {
  return {
    ...withoutMoment(gpu),
    status: "error",
    health: { status: "critical", errors: ["no longer reported by its monitor"] },
    errorRate: null,
    uptimeS: null,
    endpoint: null,
    isMissing: true,
  };
}
