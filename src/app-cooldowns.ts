import type { Clock } from "./clock.ts";
import type { CooldownChange } from "./failures/cooldown-view.ts";
import { Cooldowns, type CooldownSettings } from "./failures/cooldowns.ts";
import type { FleetSnapshot } from "./fleet/snapshot.ts";
import type { Worker } from "./fleet/worker.ts";
import type { Log } from "./log.ts";

interface CooldownDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => CooldownSettings;
  readonly snapshot: () => FleetSnapshot;
  readonly onCooling: (workerId: string) => void;
}

/** Cooldowns of the fleet's workers; each change is logged with the worker's name and GPUs. */
export function createCooldowns(deps: CooldownDeps): Cooldowns {
  const { clock, log, settings, snapshot, onCooling } = deps;
  const workerAt = (workerIndex: number): Worker | undefined =>
    snapshot().workers.find(({ index }) => index === workerIndex);
  return new Cooldowns({
    clock,
    settings,
    peersOf(workerIndex) {
      const worker = workerAt(workerIndex);
      return worker ? peersOf(worker, snapshot()) : [workerIndex];
    },
    onChange(change) {
      const worker = workerAt(change.workerIndex);
      const { reason, untilMs } = change;
      const fields = { workerId: worker?.id, gpuIds: worker?.gpuIds, reason };
      if (change.kind !== "cooling") return log.info(fields, MESSAGES[change.kind]);
      const cooldownS = Math.round((untilMs - clock.now()) / 1000);
      log.warn({ ...fields, cooldownS }, "worker cooling down");
      if (worker) onCooling(worker.id);
    },
  });
}

const MESSAGES: Readonly<Record<Exclude<CooldownChange["kind"], "cooling">, string>> = {
  due: "worker is probed early: its checks succeed",
  recovered: "worker recovered from its cooldown",
  cleared: "cooldown cleared by an operator",
};

/** Workers that serve one of its models, itself included; what is cordoned cannot stand in for it. */
function peersOf(worker: Worker, { workersByModel }: FleetSnapshot): number[] {
  const workers = [...worker.models.keys()].flatMap((model) => workersByModel.get(model) ?? []);
  const usable = workers.filter((peer) => peer.cordon === null || peer === worker);
  return [...new Set(usable.map(({ index }) => index))];
}
