import { z } from "zod";
import type { Placements } from "../../dispatch/placements.ts";
import { RouterError } from "../../errors.ts";
import type { Job } from "../../requests/job.ts";
import { findJob, type JobLookup, jobParams, jobUserHeader, requireActor } from "../find-job.ts";
import { jobSchema, viewJob, type JobOutlook } from "../job-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface CompleteRoutesDeps extends JobOutlook, JobLookup {
  readonly placements: Pick<Placements, "complete">;
}

export const completeBodySchema = z
  .strictObject({
    ok: z.boolean().describe("false: the job is failed; nothing is held against the worker."),
    tokens: z
      .int()
      .min(0)
      .max(1e9)
      .optional()
      .describe("Used there; they count for your token limit."),
  })
  .meta({ examples: [{ ok: true, tokens: 1200 }] });

export function completeRoutes(app: RouterApp, deps: CompleteRoutesDeps): void {
  app.post(
    "/api/v1/requests/:request_id/complete",
    {
      config: { access: "user" },
      schema: {
        tags: ["Jobs"],
        summary: "Give back the worker that a job without payload holds",
        description: "The job is completed, or failed where `ok` is false.",
        security: SECURED,
        params: jobParams,
        headers: jobUserHeader,
        body: completeBodySchema,
        response: {
          200: describedJson("The job, completed or failed.", jobSchema),
          ...errorResponses(
            "FORBIDDEN",
            "USER_MISMATCH",
            "REQUEST_NOT_FOUND",
            "ALREADY_FINISHED",
            "BODY_TOO_LARGE",
          ),
        },
      },
    },
    (request) => {
      const job = findJob(request, deps);
      requireActor(request, job, "complete it");
      const { ok, tokens } = request.body;
      const isHeld = deps.placements.complete(job.request, { ok, tokens: tokens ?? null });
      if (!isHeld) throw refusal(job);
      const over = new Promise((resolve) => job.onEnd(resolve));
      return over.then(() => viewJob(job, deps));
    },
  );
}

function refusal({ request, state, isOver }: Job): RouterError {
  const param = "request_id";
  if (isOver) return new RouterError("ALREADY_FINISHED", `the job is already ${state}`, { param });
  const message = request.isPlacement
    ? `the job is ${state} and holds no worker yet: wait until it is processing, or DELETE it`
    : "the job has a payload and ends by its answer: DELETE it to end it before";
  return new RouterError("INVALID_REQUEST", message, { param });
}
