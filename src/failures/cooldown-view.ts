/** What cooldowns are told, and what routing, the log and the API see of them. */

import type { OutcomeClass } from "./classify.ts";

/** What keeps requests from a worker, all or some. */
export interface Cooldown {
  /**
   * paused: it asked for a moment, and failed in nothing. cooling: it gets none. probing: one at a
   * time, to see whether it is back. warming_up: back, and given more step by step.
   */
  readonly state: "paused" | "cooling" | "probing" | "warming_up";
  readonly reason: string;
  /** Monotonic; in the past while probing. */
  readonly untilMs: number;
}

/** What routing reads. */
export interface CooldownView {
  /** True while the worker must get no new request: cooling, paused, or its one probe is under way. */
  blocks(workerIndex: number): boolean;
  /** How many of its slots may be in use now: fewer than all while it warms up. */
  slotLimit(workerIndex: number, slots: number): number;
  /** null = nothing keeps requests from it. */
  describe(workerIndex: number): Cooldown | null;
}

export interface CooldownChange {
  readonly workerIndex: number;
  /** due: its checks succeed, so that its probe may come early. cleared: by an operator. */
  readonly kind: "cooling" | "due" | "recovered" | "cleared";
  readonly reason: string;
  readonly untilMs: number;
}

/** How an attempt ended, for the worker's history. */
export interface AttemptEnd {
  /** confirmed: what was charged as shared has turned out to be the worker's own. */
  readonly class: OutcomeClass | "confirmed";
  /** What went wrong, in words; empty where nothing did. */
  readonly failure: string;
  /** What `began` returned. */
  readonly wasProbe: boolean;
  /** It is too busy: nothing for it before so long. */
  readonly pauseMs?: number;
  /** It may be dead. */
  readonly suspects?: boolean;
}
