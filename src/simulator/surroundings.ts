import { MemoryQuotaStore } from "../admission/memory-quota-store.ts";
import { Quotas } from "../admission/quotas.ts";
import type { FleetNetwork, FleetSettings } from "../fleet/fleet-loop.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import { Dice } from "./dice.ts";
import type { Ledger } from "./ledger.ts";
import type { Scene, SceneSettings, WorkerPlan } from "./scene.ts";
import type { Timeline } from "./virtual-clock.ts";
import { createVirtualMonitor } from "./virtual-monitor.ts";
import { VirtualWorker } from "./virtual-worker.ts";

/** What the router is told, as it is since the latest reload. */
export interface Told {
  settings: SceneSettings;
  workers: readonly WorkerPlan[];
}

export function createWorkers(scene: Scene, timeline: Timeline, ledger: Ledger): VirtualWorker[] {
  return scene.workers.map((plan, at) => {
    const dice = new Dice(scene.seed, `worker ${at}`);
    const startedAtMs = timeline.nowMs;
    return new VirtualWorker(plan, {
      ...{ clock: timeline.world, dice, startedAtMs },
      isPoison: (requestId) => ledger.find(requestId)?.plan.isPoison ?? false,
      onDispatch: (requestId, arrival) => ledger.dispatched(requestId, arrival),
      onDestroy: (requestIds) => ledger.disconnected(requestIds),
    });
  });
}

/** Monitor and workers, for whoever asks them what they are. */
export function createNetwork(
  { monitor }: Scene,
  timeline: Timeline,
  workers: readonly VirtualWorker[],
): FleetNetwork {
  const gpuIds = [...new Set(workers.flatMap(({ plan }) => plan.spec.gpus))];
  const startedAtMs = timeline.nowMs;
  return {
    openSource: () =>
      createVirtualMonitor("monitor.test", {
        clock: timeline.world,
        startedAtMs,
        phases: monitor,
        gpuIds,
      }),
    askWorkers: () => ({
      ask: ({ url }, path) => workers.find(({ plan }) => plan.spec.url === url)!.ask(path),
      close: () => Promise.resolve(),
    }),
  };
}

const MONITOR = { kind: "service", url: "http://monitor.test", token: null } as const;

export function fleetSettings({ monitor }: Scene, { settings, workers }: Told): FleetSettings {
  return {
    workers: workers.map(({ spec }) => spec),
    workerHosts: [],
    maxTemperatureC: settings.dispatch.maxTemperatureC,
    sources: monitor.length > 0 ? [MONITOR] : [],
    updateIntervalMs: settings.updateIntervalMs,
    healthCheckIntervalMs: settings.healthCheckIntervalMs,
    retry: settings.sourceRetry,
  };
}

export function createQuotas({ settings, users }: Scene, { router }: Timeline): Quotas {
  const windowMs = settings.quotaWindowMs;
  return new Quotas({
    ...{ windowMs, clock: router },
    settings: {
      defaults: { gpuLimit: 100, requestLimit: 1_000_000, priorityLimit: 5, tokenLimit: null },
      config: users,
    },
    store: new MemoryQuotaStore(router, windowMs),
  });
}

/** As app-cooldowns.ts says it: workers that serve one of its models. */
export function peersIn({ workers, workersByModel }: FleetSnapshot, workerIndex: number): number[] {
  const models = workers.find(({ index }) => index === workerIndex)?.models.keys() ?? [];
  const peers = [...models].flatMap((model) => workersByModel.get(model) ?? []);
  return peers.length === 0 ? [workerIndex] : [...new Set(peers.map(({ index }) => index))];
}
