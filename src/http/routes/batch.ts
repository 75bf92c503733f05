import { randomUUID } from "node:crypto";
import { z } from "zod";
import { RouterError } from "../../errors.ts";
import {
  inItem,
  onBatchEnd,
  submitBatch,
  type BatchDeps,
  type BatchItem,
} from "../../requests/batches.ts";
import type { Submission } from "../../requests/idempotency.ts";
import type { Job } from "../../requests/job.ts";
import { batchBodySchema, toBatchItems } from "../batch-envelope.ts";
import { submittingUser } from "../caller.ts";
import { foresee, iso, time, type JobOutlook } from "../job-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";
import { onceHeaders, submitOnce } from "../submit-once.ts";
import { callbackOf, SUBMIT_ERRORS, type SubmitRoutesDeps } from "./submit.ts";

export interface BatchRoutesDeps extends SubmitRoutesDeps, BatchDeps {}

const submittedBatchSchema = z
  .object({
    batch_id: z.string(),
    status: z
      .enum(["queued", "processing", "completed"])
      .describe("queued = none has started, completed = all are over, however each ended."),
    request_ids: z.array(z.string()).describe("In the order of the requests."),
    estimated_start_time: time.describe("Of the first to start; null = not known."),
    estimated_completion_time: time.describe("Of the last to end; null = not known."),
  })
  .describe("The jobs of a batch.")
  .meta({ id: "SubmittedBatch" });

export function batchRoutes(app: RouterApp, deps: BatchRoutesDeps): void {
  app.post(
    "/api/v1/route/batch",
    {
      config: { access: "user" },
      onRequest: deps.newWork.beforeBody,
      schema: {
        tags: ["Jobs"],
        summary: "Submit several jobs at once: all of them, or none",
        description:
          "If one of the requests cannot be accepted, none is, and the error names it, as in " +
          "`requests[3].priority`. Once accepted, each is a job of its own: " +
          "GET /api/v1/requests/{request_id} tells how it goes.",
        security: SECURED,
        headers: onceHeaders,
        body: batchBodySchema,
        response: {
          200: describedJson("The jobs, in the order of the requests.", submittedBatchSchema),
          ...errorResponses(...SUBMIT_ERRORS),
        },
      },
    },
    (request, reply) => {
      const { body, bodyText } = request;
      const user = submittingUser(request, body);
      const submission = submitOnce(deps, { request, reply, user }, () => {
        const items = toBatchItems(body, { ...deps, user, bytes: Buffer.from(bodyText) });
        admitAll(items, deps);
        const url = callbackOf(deps, body, user);
        const id = body.batch_id ?? randomUUID();
        const jobs = submitBatch(deps, items);
        if (url) onBatchEnd(jobs, (end) => deps.callbacks.send({ ...end, url, user, batchId: id }));
        return { id, requestIds: jobs.map((job) => job.id), jobs };
      });
      return viewBatch(submission, deps);
    },
  );
}

/** Throws the refusal of the first that is not taken, naming it. */
function admitAll(items: readonly BatchItem[], { newWork }: SubmitRoutesDeps): void {
  for (const [index, { request }] of items.entries()) {
    try {
      newWork.admit(request.band);
    } catch (error) {
      throw error instanceof RouterError ? inItem(index, error) : error;
    }
  }
}

function viewBatch({ id, requestIds, jobs }: Submission, outlook: JobOutlook) {
  const foreseen = jobs.map((job) => foresee(job, outlook));
  const starts = foreseen.flatMap(({ startsAtMs }) => startsAtMs ?? []);
  const ends = foreseen.flatMap(({ endsAtMs }) => endsAtMs ?? []);
  return {
    batch_id: id,
    status: statusOf(jobs),
    request_ids: requestIds,
    estimated_start_time: iso(starts.length === 0 ? null : Math.min(...starts)),
    estimated_completion_time: iso(ends.length < jobs.length ? null : Math.max(...ends)),
  };
}

function statusOf(jobs: readonly Job[]): "queued" | "processing" | "completed" {
  if (jobs.every((job) => job.isOver)) return "completed";
  return jobs.some((job) => job.isOver || job.startedAtWallMs !== null) ? "processing" : "queued";
}
