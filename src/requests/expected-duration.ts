import type { Job } from "./job.ts";

/** Weight of the newest job in the mean. */
const NEWEST = 0.2;
const MODELS_MAX = 1000;

/** What a job of a model usually takes on the fleet: a moving mean of those that completed. */
export class ExpectedDurations {
  readonly #meanMs = new Map<string, number>();

  learn(job: Job): void {
    const { startedAtWallMs: started, finishedAtWallMs: finished, request } = job;
    if (request.isPlacement || job.state !== "completed") return;
    if (started === null || finished === null) return;
    const known = this.#meanMs.get(request.model);
    if (known === undefined && this.#meanMs.size >= MODELS_MAX) return;
    const tookMs = finished - started;
    this.#meanMs.set(
      request.model,
      known === undefined ? tookMs : known + NEWEST * (tookMs - known),
    );
  }

  /** null = no job of this model has completed yet. */
  ofModel(model: string): number | null {
    return this.#meanMs.get(model) ?? null;
  }
}
