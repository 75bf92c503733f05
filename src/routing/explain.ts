import type { Worker } from "../fleet/worker.ts";
import { MAX_CANDIDATES, type Choice, type Question } from "./decide.ts";
import { servesModel } from "./filters/serves-model.ts";
import { clampScore } from "./scores.ts";
import type { Rejection } from "./stages.ts";

/** Why a request went where it went, and why not elsewhere. The shape is the API's. */
export interface Decision {
  readonly strategy: string;
  /** Worker id; null = nobody could take it. */
  readonly chosen: string | null;
  readonly candidates: CandidateReport[];
}

interface CandidateReport {
  readonly worker_id: string;
  readonly gpu_ids: string[];
  /** Weighted sum of `scores`, 0..1; null where a filter rejected it. */
  readonly score: number | null;
  readonly scores: Record<string, number> | null;
  readonly rejected_by: (Rejection & { readonly filter: string }) | null;
}

const SAMPLED: Rejection & { filter: string } = {
  filter: "sample",
  reason: "passed all filters, but was not among the 64 workers drawn for scoring",
  permanent: false,
};

/** Call in the same tick as the decision: it looks at the same leases and cooldowns. */
export function explain(question: Question, choice: Choice): Decision {
  const { strategy, view } = question;
  const scored = new Map(choice.pool.candidates.map((c) => [c.worker, c]));
  const candidates = view.snapshot.workers.map((worker): CandidateReport => {
    const candidate = scored.get(worker);
    const identity = { worker_id: worker.id, gpu_ids: [...worker.gpuIds] };
    if (!candidate) {
      const rejected_by = firstRejection(question, worker) ?? SAMPLED;
      return { ...identity, score: null, scores: null, rejected_by };
    }
    const scores = strategy.scorers.map(({ scorer }) => {
      const score = clampScore(scorer.score(candidate, choice.pool));
      return [scorer.name, rounded(score)] as const;
    });
    const score = rounded(candidate.score);
    return { ...identity, score, scores: Object.fromEntries(scores), rejected_by: null };
  });
  return { strategy: strategy.name, chosen: choice.worker?.id ?? null, candidates };
}

/** The first filter that the worker does not pass; null = it passes all. */
export function firstRejection(
  { strategy, request, view }: Question,
  worker: Worker,
): (Rejection & { filter: string }) | null {
  const filter = strategy.filters.find((f) => !f.passes(worker, request, view));
  return filter ? { filter: filter.name, ...filter.reject(worker, request, view) } : null;
}

/**
 * For a decision that found nobody: the names of the filters that turned workers of the model away, of
 * each worker the first. Of many workers it looks at 64, evenly spread, so that its cost has a bound.
 */
export function rejectingFilters({ strategy, request, view }: Question): ReadonlySet<string> {
  const workers = view.snapshot.workersByModel.get(request.model) ?? [];
  if (workers.length === 0) return NO_SUCH_MODEL;
  const names = new Set<string>();
  const step = Math.ceil(workers.length / MAX_CANDIDATES);
  for (let i = 0; i < workers.length; i += step) {
    const filter = strategy.filters.find((each) => !each.passes(workers[i]!, request, view));
    if (filter) names.add(filter.name);
  }
  return names;
}

const NO_SUCH_MODEL: ReadonlySet<string> = new Set([servesModel.name]);

function rounded(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
