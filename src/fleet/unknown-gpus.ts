import type { FleetSnapshot } from "./snapshot.ts";
import { hostOf } from "./this-machine.ts";
import type { WorkerSpec } from "./worker.ts";

/** What is wrong with the GPUs that the config gives a worker. */
export interface UnknownGpus {
  readonly workerId: string;
  /** The same text for as long as it lasts. */
  readonly problem: string;
}

/**
 * Workers whose GPUs no monitor reports. They are routed on our own counts, so a mistyped id would be
 * noticed only when a card overheats. Empty until every source answers: one that fails may know them.
 */
export function unknownGpus(
  specs: readonly WorkerSpec[],
  { sources, gpus }: Pick<FleetSnapshot, "sources" | "gpus">,
): readonly UnknownGpus[] {
  const allAnswer = sources.every(({ failure, lastSuccessAtMs }) => {
    return failure === null && lastSuccessAtMs !== null;
  });
  if (sources.length === 0 || !allAnswer) return [];
  const hosts = new Set(sources.map(({ host }) => host));
  return specs.flatMap(({ id: workerId, gpus: named, url }) => {
    const problem =
      named === "auto"
        ? autoProblem(hostOf(url), hosts)
        : idProblem(named.filter((id) => !gpus.has(id)));
    return problem === null ? [] : [{ workerId, problem }];
  });
}

function autoProblem(host: string, hosts: ReadonlySet<string>): string | null {
  if (hosts.has(host)) return null;
  return (
    `gpus: auto finds none, since no monitor runs on its host ${host}: name its GPUs in ` +
    `workers[].gpus (${WHERE}), or set [] if nobody reports them`
  );
}

function idProblem(unknown: readonly string[]): string | null {
  if (unknown.length === 0) return null;
  return (
    `no monitor reports GPU ${unknown.join(", ")}: correct workers[].gpus (${WHERE}); until then ` +
    "its temperature and memory are not known"
  );
}

const WHERE = "GET /api/v1/gpus lists the ids";
