import type { Clock } from "../clock.ts";
import type { CooldownView } from "../failures/cooldown-view.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { Worker } from "../fleet/worker.ts";
import { decide, type Choice, type Question } from "../routing/decide.ts";
import { settle } from "../routing/settled.ts";

/** Between two early probes for one model. */
const TRICKLE_MS = 1000;
/** Models come and go; of so many the times are kept. */
const MODELS_KEPT = 1000;

/**
 * While every worker of a model cools down, waiting for the first cooldown to end would be an outage
 * of minutes, and using them all a second storm. So one request a second goes to the worker that is
 * due soonest, as its probe.
 */
export class Trickle {
  readonly #clock: Clock;
  readonly #cooldowns: Cooldowns;
  readonly #lastAtMs = new Map<string, number>();

  constructor(clock: Clock, cooldowns: Cooldowns) {
    this.#clock = clock;
    this.#cooldowns = cooldowns;
  }

  /** For a question that found nobody, whose answer must be leased in this tick; null = not now. */
  ask(question: Question): { readonly question: Question; readonly choice: Choice } | null {
    const { model, path } = question.request;
    // A placement shows nothing of the worker, and may last for days.
    if (this.#cooldowns.coolingCount === 0 || path === null) return null;
    const nowMs = this.#clock.now();
    if (nowMs - (this.#lastAtMs.get(model) ?? -Infinity) < TRICKLE_MS) return null;
    const due = this.#dueSoonest(question);
    if (due === null) return null;
    const cooldowns = openTo(due, question.view.cooldowns);
    const probing = { ...question, view: { ...question.view, cooldowns } };
    const choice = decide(probing);
    if (choice.worker === null) return null;
    if (this.#lastAtMs.size >= MODELS_KEPT) this.#lastAtMs.clear();
    this.#lastAtMs.set(model, nowMs);
    return { question: probing, choice };
  }

  /** null: some worker is only full or paused, or all probes are under way. */
  #dueSoonest({ strategy, request, view }: Question): Worker | null {
    const { workers, filters } = settle(strategy, request, view);
    let soonest: Worker | null = null;
    let soonestMs = Infinity;
    for (const { worker } of workers) {
      const rejecting = filters.find((filter) => !filter.passes(worker, request, view));
      if (rejecting?.reject(worker, request, view).permanent) continue;
      if (rejecting?.name !== "cooldown" || !this.#cooldowns.isCooling(worker.index)) return null;
      // One whose slots are still held by those who hang would keep the probe from all others.
      const isHeld = filters.some((f) => f !== rejecting && !f.passes(worker, request, view));
      if (isHeld) continue;
      const dueMs = this.#probeDueMs(worker);
      if (dueMs >= soonestMs) continue;
      soonest = worker;
      soonestMs = dueMs;
    }
    return soonest;
  }

  /** Infinity: its probe is under way, or it failed just now and is given a moment. */
  #probeDueMs({ index }: Worker): number {
    if (!this.#cooldowns.mayBeProbedAfter(TRICKLE_MS, index)) return Infinity;
    return this.#cooldowns.describe(index)?.untilMs ?? Infinity;
  }
}

function openTo({ index: due }: Worker, view: CooldownView): CooldownView {
  return {
    blocks: (index) => index !== due && view.blocks(index),
    slotLimit: (index, slots) => view.slotLimit(index, slots),
    describe: (index) => view.describe(index),
  };
}
