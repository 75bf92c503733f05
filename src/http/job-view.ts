import { z } from "zod";
import { failureOf } from "../dispatch/give-up.ts";
import type { AttemptRecord } from "../dispatch/route-request.ts";
import { errorBody } from "../errors.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Job } from "../requests/job.ts";

/** How a job looks from outside. An allow list: worker URLs and internals stay inside. */

const time = z.string().nullable().describe("ISO 8601; null = not yet, or not known.");

export const decisionSchema = z
  .object({
    strategy: z.string(),
    chosen: z.string().nullable().describe("worker_id; null = nobody could take it."),
    candidates: z.array(
      z.object({
        worker_id: z.string(),
        gpu_ids: z.array(z.string()),
        score: z.number().nullable().describe("Weighted sum, 0..1; null = rejected."),
        scores: z.record(z.string(), z.number()).nullable().describe("By scorer, each 0..1."),
        rejected_by: z
          .object({ filter: z.string(), reason: z.string(), permanent: z.boolean() })
          .nullable(),
      }),
    ),
  })
  .describe("Why it went where it went, and why not elsewhere.")
  .meta({ id: "Decision" });

const submittedFields = z.object({
  request_id: z.string(),
  status: z.enum(["pending", "queued", "processing", "completed", "failed", "cancelled"]),
  gpu_id: z.string().nullable(),
  worker_id: z.string().nullable(),
  queue_position: z.number().nullable(),
  estimated_start_time: time,
  estimated_completion_time: time,
  result: z.unknown().optional().describe("With Prefer: wait, once the job is over."),
  error: z.unknown().optional(),
});

export const submittedSchema = submittedFields
  .describe("Where the job went.")
  .meta({ id: "SubmittedJob" });

const jobFields = submittedFields.extend({
  user_id: z.string(),
  model_id: z.string(),
  type: z.string(),
  priority: z.number(),
  gpu_ids: z.array(z.string()),
  submitted_at: time,
  started_at: time,
  finished_at: time,
  progress: z.number().nullable().describe("0 = not begun, 1 = over, null = not known."),
  result: z.unknown().describe("The worker's answer; null = none yet."),
  error: z.unknown().describe("As in error answers; null = none."),
  attempts: z.array(
    z.object({
      worker_id: z.string(),
      outcome: z.string(),
      failure: z.string().nullable(),
      duration_ms: z.number(),
    }),
  ),
  decision: decisionSchema.nullable(),
});

export const jobSchema = jobFields.describe("How the job goes.").meta({ id: "Job" });

/** The answer to a submission. `expectedMs`: what such a job usually takes; null = not known. */
export function viewSubmission(job: Job, expectedMs: number | null) {
  const started = job.startedAtWallMs;
  const expected = job.expectedDurationMs ?? expectedMs;
  const ends = started === null || expected === null ? null : started + expected;
  return {
    request_id: job.id,
    status: job.state,
    gpu_id: job.worker === null ? null : gpuIdOf(job.worker),
    worker_id: job.worker?.id ?? null,
    queue_position: job.state === "queued" ? null : 0,
    estimated_start_time: iso(started),
    estimated_completion_time: iso(job.finishedAtWallMs ?? ends),
  };
}

export function viewJob(job: Job, expectedMs: number | null) {
  const { request } = job;
  return {
    ...viewSubmission(job, expectedMs),
    user_id: request.user,
    model_id: request.model,
    type: request.type,
    priority: request.band,
    gpu_ids: [...(job.worker?.gpuIds ?? [])],
    submitted_at: iso(job.submittedAtWallMs),
    started_at: iso(job.startedAtWallMs),
    finished_at: iso(job.finishedAtWallMs),
    progress: progressOf(job),
    ...viewResult(job),
    attempts: job.attempts.map(viewAttempt),
    decision: job.decision,
  };
}

export function viewResult(job: Job) {
  const error = job.error === null ? null : errorBody(job.error, job.id).error;
  return { result: resultOf(job), error };
}

function resultOf({ answer }: Job): unknown {
  if (answer === null) return null;
  const text = answer.body.toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A worker's error page: shown as the text that it is.
    return text;
  }
}

function progressOf(job: Job): number | null {
  if (job.isOver) return 1;
  return job.startedAtWallMs === null ? 0 : null;
}

function viewAttempt({ worker, outcome, startedAtMs, endedAtMs }: AttemptRecord) {
  return {
    worker_id: worker.id,
    outcome: outcome.kind,
    failure: failureOf(outcome) || null,
    duration_ms: Math.round(endedAtMs - startedAtMs),
  };
}

function gpuIdOf(worker: Worker): string {
  return worker.gpuIds[0] ?? worker.id;
}

function iso(wallMs: number | null): string | null {
  return wallMs === null ? null : new Date(wallMs).toISOString();
}
