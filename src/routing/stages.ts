import type { LeaseCounts } from "../admission/leases.ts";
import type { CooldownView } from "../failures/cooldown-view.ts";
import type { FleetSnapshot } from "../fleet/snapshot.ts";
import type { ApiPath, RequestType, Worker } from "../fleet/worker.ts";
import type { Random } from "./random.ts";

/**
 * The whole theory of routing: filters reject workers and say why, scorers rate those that are left,
 * a picker takes one. The framework (decide.ts) clamps scores, owns the weights and keeps the order.
 * A new stage is one file here, one row in strategies.ts and one line in docs/routing.md.
 */

/** One of the five priorities; 5 is the most urgent. */
export type Band = 1 | 2 | 3 | 4 | 5;

/** What routing needs to know of a request. */
export interface RoutingRequest {
  /** Whose limits it is charged to. */
  readonly user: string;
  /** How many placements the user may occupy at once. */
  readonly gpuLimit: number;
  /** The user occupies that many now: only those may be shared. */
  readonly atGpuLimit: boolean;
  readonly model: string;
  /** null = a placement: the caller talks to the worker itself, by whatever path it likes. */
  readonly path: ApiPath | null;
  readonly type: RequestType;
  readonly band: Band;
  /** GPU memory the request itself needs; null = not said. */
  readonly memoryBytes: number | null;
  /** Least number of GPUs of the worker; null = not said. */
  readonly computeUnits: number | null;
  /** Indices of workers that this request has tried already. */
  readonly tried: readonly number[];
}

/** Everything a stage may look at. Stages are pure: no network, clock, logger or randomness of theirs. */
export interface RoutingView {
  readonly snapshot: FleetSnapshot;
  readonly leases: LeaseCounts;
  readonly cooldowns: CooldownView;
  readonly nowMs: number;
  readonly maxTemperatureC: number;
  /** Foreign load reported this long ago counts 1/e. */
  readonly foreignFadeMs: number;
}

export interface Rejection {
  /** In words that a user understands, with the setting or the figure that decides. */
  readonly reason: string;
  /** True: waiting cannot help (404 or 422). False: not now (queue or 503). */
  readonly permanent: boolean;
}

export interface Filter {
  readonly name: string;
  /**
   * snapshot: the verdict changes only with the snapshot, so it is computed once for each.
   * moment: it depends on leases, cooldowns or the request's own history.
   */
  readonly scope: "snapshot" | "moment";
  passes(worker: Worker, request: RoutingRequest, view: RoutingView): boolean;
  /** Called only for a worker that does not pass. */
  reject(worker: Worker, request: RoutingRequest, view: RoutingView): Rejection;
}

/** A worker that passed all filters, with what is true of it at this moment. */
export interface Candidate {
  readonly worker: Worker;
  /** Our leases plus what others seem to have running there. */
  readonly n: number;
  /** Relative to the fleet's median, 0.2..5. */
  readonly speed: number;
  /** (n + 1) / speed + load: in requests' worth of time on a median worker; lower is better. */
  readonly cost: number;
  /** Weighted sum of the scores, 0..1. */
  score: number;
}

/** The candidates of one decision, and what scorers compare them with. */
export interface Pool {
  readonly candidates: readonly Candidate[];
  readonly request: RoutingRequest;
  readonly view: RoutingView;
  readonly lowestCost: number;
  readonly highestSpeed: number;
}

export interface Scorer {
  readonly name: string;
  /**
   * snapshot: the score of a worker changes only with the snapshot, so it is computed once for each;
   * it may look at the worker, its speed and the view's settings, and at nothing else.
   * moment: it depends on what runs now, on the other candidates or on the request.
   */
  readonly scope: "snapshot" | "moment";
  /** Scores lie in 0..1; 1 is best. The framework clamps; NaN counts as 0. */
  score(candidate: Candidate, pool: Pool): number;
}

export interface Picker {
  readonly name: string;
  /**
   * Never called with an empty pool. Must not depend on the order of the candidates, and must not
   * remember: dry runs and retries ask too.
   */
  pick(pool: Pool, random: Random): Candidate;
  /** Told of the worker that really got the request. */
  picked?(worker: Worker): void;
}

export interface WeightedScorer {
  readonly scorer: Scorer;
  /** Weights of a strategy sum to 1. */
  readonly weight: number;
}

/** A named pipeline. */
export interface Strategy {
  readonly name: string;
  readonly filters: readonly Filter[];
  readonly scorers: readonly WeightedScorer[];
  readonly picker: Picker;
}
