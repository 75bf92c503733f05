import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { Place } from "../dispatch/dispatcher.ts";
import { failureOf } from "../dispatch/give-up.ts";
import type { AttemptRecord } from "../dispatch/route-request.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import { errorBody } from "../errors.ts";
import { gpuIdOf } from "../fleet/worker.ts";
import type { ExpectedDurations } from "../requests/expected-duration.ts";
import type { Decision } from "../routing/explain.ts";
import type { Job } from "../requests/job.ts";
import { JOB_STATES } from "../requests/request.ts";

/** How a job looks from outside. An allow list: worker URLs and internals stay inside. */

export const time = z.string().nullable().describe("ISO 8601; null = not yet, or not known.");

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

const placementSchema = z
  .object({
    worker_url: z.string(),
    gpu_ids: z.array(z.string()),
    lease_expires_at: time.describe("Its timeout: complete it before, or it is failed."),
  })
  .describe(
    "Of a job without payload, while it is processing: where you may work until you " +
      "POST /api/v1/requests/{request_id}/complete. Shown to its owner, service and admin.",
  );

const submittedFields = z.object({
  request_id: z.string(),
  status: z.enum(JOB_STATES),
  gpu_id: z.string().nullable(),
  worker_id: z.string().nullable(),
  queue_position: z
    .number()
    .nullable()
    .describe("1 = next, 0 = running, null = over, or not known."),
  estimated_start_time: time,
  estimated_completion_time: time,
  placement: placementSchema.nullable().optional(),
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
  progress: z
    .number()
    .nullable()
    .describe("Elapsed share of the expected duration; 0 = not begun, 1 = over, null = not known."),
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

export const jobSummarySchema = jobFields
  .omit({ result: true, attempts: true, decision: true, placement: true })
  .describe("How the job goes, in short.")
  .meta({ id: "JobSummary" });

/** What the views of jobs are made of, beside the jobs. */
export interface JobOutlook {
  readonly clock: Clock;
  readonly expected: Pick<ExpectedDurations, "ofModel">;
  /** Where a request waits; null = it does not. */
  readonly place: (request: RoutedRequest) => Place | null;
  /** How it would be decided now. */
  readonly explain: (request: RoutedRequest) => Decision;
}

/** The answer to a submission. */
export function viewSubmission(job: Job, outlook: JobOutlook) {
  const { startsAtMs, endsAtMs, position } = foresee(job, outlook);
  return {
    request_id: job.id,
    status: job.state,
    gpu_id: job.worker === null ? null : gpuIdOf(job.worker),
    worker_id: job.worker?.id ?? null,
    queue_position: position,
    estimated_start_time: iso(startsAtMs),
    estimated_completion_time: iso(endsAtMs),
  };
}

/** When it starts and ends, by the wall clock: as it was, or else as it is estimated. */
export function foresee(job: Job, { clock, expected, place }: JobOutlook) {
  const waiting = job.isOver ? null : place(job.request);
  const nowMs = clock.wallMs();
  const startsAtMs = job.startedAtWallMs ?? sum(nowMs, waiting?.startsInMs ?? null);
  const endsInTime = sum(startsAtMs, expectedMs(job, expected));
  const running = job.state === "processing" ? 0 : null;
  return {
    startsAtMs,
    endsAtMs: job.finishedAtWallMs ?? unlessPast(endsInTime, nowMs),
    position: waiting?.position ?? running,
  };
}

export function viewJob(job: Job, outlook: JobOutlook) {
  return {
    ...viewSummary(job, outlook),
    placement: null,
    result: resultOf(job),
    attempts: job.attempts.map(viewAttempt),
    decision: job.state === "queued" ? outlook.explain(job.request) : job.decision,
  };
}

export function viewSummary(job: Job, outlook: JobOutlook) {
  const { request } = job;
  return {
    ...viewSubmission(job, outlook),
    user_id: request.user,
    model_id: request.model,
    type: request.type,
    priority: request.band,
    gpu_ids: [...(job.worker?.gpuIds ?? [])],
    submitted_at: iso(job.submittedAtWallMs),
    started_at: iso(job.startedAtWallMs),
    finished_at: iso(job.finishedAtWallMs),
    progress: progressOf(job, outlook),
    error: errorOf(job),
  };
}

export function viewResult(job: Job) {
  return { result: resultOf(job), error: errorOf(job) };
}

/** Only for those who may act on the job: whoever knows the address can use the worker past us. */
export function viewPlacement({ request, state, worker, startedAtWallMs }: Job) {
  if (!request.isPlacement || state !== "processing" || worker === null) return null;
  const { timeoutMs } = request;
  const known = startedAtWallMs !== null && timeoutMs !== null;
  return {
    worker_url: worker.url,
    gpu_ids: [...worker.gpuIds],
    lease_expires_at: iso(known ? startedAtWallMs + timeoutMs : null),
  };
}

/** Elapsed share of what it is expected to take: 0 = not begun, 1 = over, null = not known. */
export function progressOf(job: Job, { clock, expected }: JobOutlook): number | null {
  if (job.isOver) return 1;
  if (job.startedAtWallMs === null) return 0;
  const takesMs = expectedMs(job, expected);
  if (takesMs === null) return null;
  const share = (clock.wallMs() - job.startedAtWallMs) / Math.max(1, takesMs);
  return Math.round(Math.min(MOST_BEFORE_END, Math.max(0, share)) * 100) / 100;
}

/** What it should take. The work of a placement is its caller's own: others say nothing about it. */
function expectedMs(job: Job, expected: JobOutlook["expected"]): number | null {
  const { isPlacement, model } = job.request;
  return job.expectedDurationMs ?? (isPlacement ? null : expected.ofModel(model));
}

/** Of a job that takes longer than expected nobody knows when it will end. */
function unlessPast(ms: number | null, nowMs: number): number | null {
  return ms !== null && ms >= nowMs ? ms : null;
}

/** null where either is unknown. */
function sum(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

/** A job that takes longer than expected is not over for that. */
const MOST_BEFORE_END = 0.99;

function errorOf({ error, id }: Job) {
  return error === null ? null : errorBody(error, id).error;
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

function viewAttempt({ worker, outcome, startedAtMs, endedAtMs }: AttemptRecord) {
  return {
    worker_id: worker.id,
    outcome: outcome.kind,
    failure: failureOf(outcome) || null,
    duration_ms: Math.round(endedAtMs - startedAtMs),
  };
}

/** The last moment that a Date can say. */
const LAST_WALL_MS = 8.64e15;

/** null stays null, and so is what no date can say: a caller may expect a job to take for ever. */
export function iso(wallMs: number | null): string | null {
  return wallMs === null || wallMs > LAST_WALL_MS ? null : new Date(wallMs).toISOString();
}
