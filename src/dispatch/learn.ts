import type { SpeedBook } from "../fleet/speed.ts";
import { mustLoadModel } from "../routing/load.ts";
import type { Answer } from "./answer.ts";
import type { AttemptRecord } from "./route-request.ts";
import type { RoutedRequest } from "./routed-request.ts";

export interface LearnDeps {
  readonly speeds: SpeedBook;
  /** The worker does not serve this model after all. */
  readonly modelMissing: (workerIndex: number, servedName: string) => void;
  /** Something looked wrong: ask the worker what it is. */
  readonly checkWorker: (workerIndex: number) => void;
}

/** Shorter answers are mostly prompt and latency, and say little about speed. */
const TOKENS_MIN = 8;

/** What an attempt's end tells about the fleet. */
export function learnFrom(record: AttemptRecord, request: RoutedRequest, deps: LearnDeps): void {
  const { worker, outcome, result } = record;
  if (looksDead(record)) deps.checkWorker(worker.index);
  if (outcome.kind !== "answered") return;
  if (outcome.status < 300) learnSpeed(record, request, deps.speeds);
  else if (outcome.status === 404 && result.answer !== null) {
    const served = worker.models.get(request.model)?.name;
    if (served !== undefined && isAboutModel(result.answer, served)) {
      deps.modelMissing(worker.index, served);
    }
  }
}

function learnSpeed(record: AttemptRecord, { model }: RoutedRequest, speeds: SpeedBook): void {
  const { worker, result, concurrency } = record;
  const tokens = result.usage.completionTokens ?? 0;
  if (result.heldUpByClient || tokens < TOKENS_MIN) return;
  // The time to load a model is no time per token.
  if (mustLoadModel(worker, model)) return;
  const durationMs = record.endedAtMs - record.startedAtMs;
  speeds.observe({ workerIndex: worker.index, model, tokens, durationMs, concurrency });
}

function looksDead({ outcome }: AttemptRecord): boolean {
  if (outcome.kind === "timeout") return !outcome.workerAlive;
  return outcome.kind === "unreachable" || (outcome.kind === "broken" && !outcome.stale);
}

/**
 * Engines answer 404 for paths that they do not know, too: that says nothing about the model, and
 * dropping it would take the model out of the fleet. All that refuse a model name it; Ollama may
 * leave out its ":latest".
 */
function isAboutModel({ body }: Answer, servedName: string): boolean {
  const text = body.toString("utf8", 0, 2000);
  return /\bmodel\b/i.test(text) && text.includes(servedName.replace(/:latest$/, ""));
}
