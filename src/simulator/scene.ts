import type { GivenLimits } from "../admission/user-limits.ts";
import type { DispatchSettings } from "../dispatch/dispatcher.ts";
import type { CooldownSettings } from "../failures/cooldowns.ts";
import type { WorkerSpec } from "../fleet/worker.ts";
import type { Band } from "../routing/stages.ts";

/** All that is settled before a history begins: who is there, and what happens to it when. */
export interface Scene {
  readonly seed: number;
  readonly settings: SceneSettings;
  readonly workers: readonly WorkerPlan[];
  /** The one GPU source; [] = there is none. */
  readonly monitor: readonly Phase<MonitorMood>[];
  readonly users: ReadonlyMap<string, GivenLimits>;
  readonly requests: readonly RequestPlan[];
  /** What an operator, or the machine, does to the router. */
  readonly acts: readonly Act[];
  /** Requests come no later; what runs then may go on. */
  readonly endsAtMs: number;
}

export interface SceneSettings {
  readonly dispatch: DispatchSettings;
  readonly cooldowns: CooldownSettings;
  readonly updateIntervalMs: number;
  readonly healthCheckIntervalMs: number;
  readonly sourceRetry: { readonly maxRetries: number; readonly delayMs: number };
  readonly quotaWindowMs: number;
}

/** A mood lasts until the next phase; the first begins at 0. Times count from the start of the scene. */
export interface Phase<Mood> {
  readonly fromMs: number;
  readonly mood: Mood;
}

export interface WorkerPlan {
  readonly spec: WorkerSpec;
  /** Names that it serves, which it tells whoever asks. */
  readonly models: readonly string[];
  /** An answer of its own alone, on average. */
  readonly answerMs: number;
  readonly phases: readonly Phase<WorkerMood>[];
}

/**
 * well: serves. refuses: nothing listens, and what was open is reset. unroutable: no connection is
 * made. hangs: connects, and says nothing. fails: answers 500 at once. breaks: connections end half-way.
 * busy: 429 and 503. locked: 401. babbles: answers with what was not asked for. slow: twenty times.
 * booting: 503 to everything. mixed: now this, now that.
 */
export type WorkerMood =
  | "well"
  | "refuses"
  | "unroutable"
  | "hangs"
  | "fails"
  | "breaks"
  | "busy"
  | "locked"
  | "babbles"
  | "slow"
  | "booting"
  | "mixed";

/**
 * well: reports. down: cannot be reached. slow: answers after 3 s. garbage: not usable. halved: only half
 * of the GPUs. hot, broken, critical: the first GPU is too hot, has status error, or fails its health check.
 * vanished: the first GPU is not there. empty: no GPU is. unknowing: the fields that routing reads are missing.
 */
export type MonitorMood =
  | "well"
  | "down"
  | "slow"
  | "garbage"
  | "halved"
  | "hot"
  | "broken"
  | "critical"
  | "vanished"
  | "empty"
  | "unknowing";

export interface RequestPlan {
  readonly atMs: number;
  readonly kind: "json" | "stream" | "job" | "placement";
  readonly user: string;
  readonly model: string;
  readonly band: Band;
  /** Of a job or a placement: of its run. */
  readonly timeoutMs: number;
  /** Of a job or a placement: how long it may wait. */
  readonly queueMs: number;
  readonly memoryBytes: number | null;
  /** More than one: a batch of such jobs. */
  readonly items: number;
  /** Every worker fails on it. */
  readonly isPoison: boolean;
  /** The client goes away, or cancels, so long after the request; null = it stays. */
  readonly leavesAfterMs: number | null;
  /** Of a placement: its caller completes it so long after its start; null = never. */
  readonly completesAfterMs: number | null;
  /** Of a stream: 0..1, how often the client's buffers are full; how long each time. */
  readonly stalls: { readonly share: number; readonly forMs: number };
}

/** A chat that whoever serves the model can answer, from a client that stays and reads. */
export const PLAIN_REQUEST: RequestPlan = {
  atMs: 0,
  kind: "json",
  user: "zoe",
  model: "m",
  band: 3,
  timeoutMs: 30_000,
  queueMs: 0,
  memoryBytes: null,
  items: 1,
  isPoison: false,
  leavesAfterMs: null,
  completesAfterMs: null,
  stalls: { share: 0, forMs: 0 },
};

/** stop: the router is shut down, lets what runs finish for `drainMs`, and cuts off the rest. */
export type Act =
  | { readonly atMs: number; readonly does: "stop"; readonly drainMs: number }
  /** Other settings, and some workers (by their place in the scene) left out, until the next reload. */
  | {
      readonly atMs: number;
      readonly does: "reload";
      readonly settings: SceneSettings;
      readonly without: readonly number[];
    }
  | { readonly atMs: number; readonly does: "clear_cooldown"; readonly worker: number }
  | { readonly atMs: number; readonly does: "set_wall_clock"; readonly byMs: number }
  | {
      readonly atMs: number;
      readonly does: "limit_user";
      readonly user: string;
      readonly given: GivenLimits;
    };

/** The mood at a time that counts from the start of the scene. */
export function moodAt<Mood>(phases: readonly Phase<Mood>[], sceneMs: number): Mood {
  let { mood } = phases[0]!;
  for (const phase of phases) {
    if (phase.fromMs > sceneMs) break;
    ({ mood } = phase);
  }
  return mood;
}
