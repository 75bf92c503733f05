import { settingsOf } from "../../../src/app-settings.ts";
import { KNOWN_NAMES } from "../../../src/app.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { Dice } from "../../../src/simulator/dice.ts";
import { PLAIN_REQUEST } from "../../../src/simulator/scene.ts";
import type {
  MonitorMood,
  Phase,
  RequestPlan,
  Scene,
  SceneSettings,
  WorkerMood,
  WorkerPlan,
} from "../../../src/simulator/scene.ts";
import { workerSpec } from "../../support/fleet-builders.ts";

export interface SteadyLoad {
  readonly seed: number;
  readonly forMs: number;
  readonly requestsPerS: number;
  readonly workers: readonly WorkerPlan[];
  readonly monitor?: readonly Phase<MonitorMood>[];
}

/** Requests at random moments of an even stream, half of them streams, under the settings of an empty config. */
export function steadyScene({
  seed,
  forMs,
  requestsPerS,
  workers,
  monitor = [],
}: SteadyLoad): Scene {
  const dice = new Dice(seed, "arrivals");
  const requests: RequestPlan[] = [];
  for (let atMs = 0; atMs < forMs; atMs += dice.exponential(1000 / requestsPerS)) {
    requests.push({ ...PLAIN_REQUEST, atMs, kind: dice.pick(["json", "stream"]) });
  }
  const settings = defaultSettings();
  return {
    seed,
    settings,
    workers,
    monitor,
    users: new Map(),
    requests,
    acts: [],
    endsAtMs: forMs,
  };
}

/** A worker on a GPU of its own, well but for what `troubles` say. */
export function steadyWorker(
  at: number,
  { slots, answerMs }: { readonly slots: number; readonly answerMs: number },
  troubles: readonly Phase<WorkerMood>[] = [],
): WorkerPlan {
  const spec = workerSpec(`w${at}`, { slots, gpus: [`gpu-${at}`], url: `http://w${at}.test:8000` });
  return { spec, models: ["m"], answerMs, phases: [{ fromMs: 0, mood: "well" }, ...troubles] };
}

function defaultSettings(): SceneSettings {
  const { dispatch, cooldowns, fleet, config } = settingsOf(
    configSchema({ names: KNOWN_NAMES, env: {} }).parse({}),
  );
  return {
    dispatch,
    cooldowns,
    updateIntervalMs: fleet.updateIntervalMs,
    healthCheckIntervalMs: fleet.healthCheckIntervalMs,
    sourceRetry: fleet.retry,
    quotaWindowMs: config.user_quota_manager.quota_check_interval * 1000,
  };
}
