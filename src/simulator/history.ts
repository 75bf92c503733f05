import type { GivenLimits } from "../admission/user-limits.ts";
import type { WorkerSpec } from "../fleet/worker.ts";
import { buildStrategy, ROUTING_NAMES } from "../routing/strategies.ts";
import { Dice } from "./dice.ts";
import { drawRequests } from "./draw-requests.ts";
import type {
  Act,
  MonitorMood,
  Phase,
  Scene,
  SceneSettings,
  WorkerMood,
  WorkerPlan,
} from "./scene.ts";

const STORM_MS = 45_000;
const MIB = 2 ** 20;
const USERS = ["ann", "bob", "cid"] as const;

/** A short history of troubles, drawn from the seed; at its end workers and monitor are well again. */
export function drawHistory(seed: number): Scene {
  const settings = drawSettings(new Dice(seed, "settings"));
  const workers = drawWorkers(new Dice(seed, "workers"));
  const monitorDice = new Dice(seed, "monitor");
  const hasMonitor = monitorDice.chance(0.8);
  return {
    seed,
    settings,
    workers,
    monitor: hasMonitor ? drawPhases(monitorDice, MONITOR_MOODS, 3) : [],
    users: drawUsers(new Dice(seed, "users")),
    requests: drawRequests(new Dice(seed, "requests"), { users: USERS, untilMs: STORM_MS }),
    acts: [
      ...drawActs(new Dice(seed, "acts"), workers.length),
      ...drawReloads(new Dice(seed, "reloads"), settings, workers.length),
    ],
    endsAtMs: STORM_MS,
  };
}

function drawSettings(dice: Dice): SceneSettings {
  const name = dice.chance(0.4) ? "hybrid" : dice.pick(ROUTING_NAMES.strategies);
  const weights = { usage: 0.4, priority: 0.3, performance: 0.2, health: 0.1 };
  const updateIntervalMs = dice.pick([2000, 5000]);
  return {
    dispatch: {
      strategy: buildStrategy({ name, weights, pipelines: {} }),
      retry: { maxRetries: dice.whole(0, 4), delayMs: dice.pick([0, 100, 1000]) },
      maxTemperatureC: 85,
      foreignFadeMs: 2 * updateIntervalMs,
      streamIdleMs: dice.pick([2000, 5000, 30_000]),
      maxAnswerBytes: MIB,
      queue: {
        maxRequests: dice.weighted([
          [0, 1],
          [4, 2],
          [1000, 7],
        ]),
        maxBytes: MIB,
        userShare: dice.pick([0.2, 0.5, 1]),
        ageingMs: dice.pick([1000, 30_000]),
      },
    },
    cooldowns: {
      errorThreshold: dice.pick([0.05, 0.3]),
      cooldownMs: dice.pick([1000, 4000, 10_000]),
      earlyRecovery: dice.chance(0.3),
    },
    updateIntervalMs,
    healthCheckIntervalMs: dice.pick([3000, 10_000]),
    sourceRetry: { maxRetries: dice.whole(0, 3), delayMs: 300 },
    quotaWindowMs: dice.pick([10_000, 60_000]),
  };
}

const WORKER_MOODS: readonly (readonly [WorkerMood, number])[] = [
  ["well", 2],
  ["refuses", 4],
  ["unroutable", 1],
  ["hangs", 2],
  ["fails", 2],
  ["breaks", 2],
  ["busy", 2],
  ["locked", 1],
  ["babbles", 2],
  ["slow", 2],
  ["booting", 1],
  ["mixed", 6],
];

const MONITOR_MOODS: readonly (readonly [MonitorMood, number])[] = [
  ["well", 2],
  ["down", 3],
  ["slow", 1],
  ["garbage", 1],
  ["halved", 1],
  ["hot", 2],
  ["broken", 1],
  ["critical", 1],
  ["vanished", 1],
  ["empty", 1],
  ["unknowing", 1],
];

/** Well at the start and at the end; up to `most` troubles in between. */
function drawPhases<Mood>(
  dice: Dice,
  moods: readonly (readonly [Mood | "well", number])[],
  most: number,
): Phase<Mood | "well">[] {
  const phases: Phase<Mood | "well">[] = [{ fromMs: 0, mood: "well" }];
  const count = dice.whole(0, most);
  let fromMs = dice.between(0, STORM_MS / 3);
  for (let at = 0; at < count && fromMs < STORM_MS; at++) {
    phases.push({ fromMs, mood: dice.weighted(moods) });
    fromMs += dice.between(500, 15_000);
    if (dice.chance(0.7)) phases.push({ fromMs, mood: "well" });
    fromMs += dice.between(0, 10_000);
  }
  return [...phases.filter((phase) => phase.fromMs < STORM_MS), { fromMs: STORM_MS, mood: "well" }];
}

function drawWorkers(dice: Dice): WorkerPlan[] {
  return Array.from({ length: dice.whole(1, 5) }, (_, at) => {
    const id = `w${at}`;
    const models = at === 0 ? dice.pick([["m"], BOTH]) : dice.pick([["m"], ["m"], BOTH, ["n"]]);
    const engine = dice.pick(["vllm", "vllm", "vllm", "openai", "ollama"] as const);
    // Now and then two servers stand on one GPU: one placement.
    const gpu = at > 0 && dice.chance(0.15) ? at - 1 : at;
    const spec: WorkerSpec = {
      id,
      url: `http://${id}.test:8000${dice.chance(0.1) ? "/llm" : ""}`,
      engine,
      gpus: [`gpu-${gpu}`],
      models: dice.chance(0.2) ? models.map(named) : [],
      slots: dice.whole(1, 4),
      types: dice.chance(0.2) ? ["inference", "training"] : ["inference"],
      apiKey: null,
      loadTimeoutMs: 5000,
    };
    const answerMs = dice.pick([100, 500, 2000]);
    return { spec, models, answerMs, phases: drawPhases(dice, WORKER_MOODS, 4) };
  });
}

const BOTH = ["m", "n"];

function named(name: string): WorkerSpec["models"][number] {
  return { name, as: name, minComputeCapability: null, memoryBytes: null };
}

function drawUsers(dice: Dice): Map<string, GivenLimits> {
  return new Map(USERS.map((user) => [user, drawLimits(dice)]));
}

function drawLimits(dice: Dice): GivenLimits {
  const limits = {
    gpuLimit: dice.weighted([
      [0, 0.3],
      [1, 2],
      [2, 2],
      [100, 4],
    ]),
    requestLimit: dice.weighted([
      [5, 1],
      [1000, 6],
    ]),
    ...(dice.chance(0.2) && { tokenLimit: dice.pick([50, 2000]) }),
  };
  return { limits, expiresAtWallMs: null };
}

function drawActs(dice: Dice, workers: number): Act[] {
  const acts: Act[] = [];
  const atMs = (): number => dice.between(0, STORM_MS);
  if (dice.chance(0.2)) acts.push({ atMs: atMs(), does: "stop", drainMs: dice.pick([0, 3000]) });
  if (dice.chance(0.3)) {
    const byMs = dice.pick([-3_600_000, 86_400_000, 5000]);
    acts.push({ atMs: atMs(), does: "set_wall_clock", byMs });
  }
  while (dice.chance(0.3)) {
    acts.push({ atMs: atMs(), does: "clear_cooldown", worker: dice.whole(0, workers - 1) });
  }
  while (dice.chance(0.2)) {
    const user = dice.pick(USERS);
    acts.push({ atMs: atMs(), does: "limit_user", user, given: drawLimits(dice) });
  }
  return acts;
}

/** The last one brings back what the history began with. */
function drawReloads(dice: Dice, settings: SceneSettings, workers: number): Act[] {
  const reloads: Act[] = [];
  while (dice.chance(0.3)) {
    const atMs = dice.between(0, STORM_MS);
    const without = [...Array(workers).keys()].filter((at) => at > 0 && dice.chance(0.3));
    reloads.push({ atMs, does: "reload", settings: drawSettings(dice), without });
  }
  if (reloads.length > 0) reloads.push({ atMs: STORM_MS, does: "reload", settings, without: [] });
  return reloads;
}
