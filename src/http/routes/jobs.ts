import type { Jobs } from "../../requests/jobs.ts";
import { identityOf } from "../auth.ts";
import {
  findJob,
  type JobLookup,
  jobParams,
  jobUserHeader,
  mayActOn,
  requireActor,
} from "../find-job.ts";
import { jobSchema, viewJob, viewPlacement, type JobOutlook } from "../job-view.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";
import type { RouterApp } from "../router-app.ts";

export interface JobRoutesDeps extends JobOutlook, JobLookup {
  readonly jobs: Jobs;
}

const tags = ["Jobs"];
const CANCEL_ERRORS = [
  "FORBIDDEN",
  "USER_MISMATCH",
  "REQUEST_NOT_FOUND",
  "ALREADY_FINISHED",
  "BODY_TOO_LARGE",
] as const;

export function jobRoutes(app: RouterApp, deps: JobRoutesDeps): void {
  registerRead(app, deps);
  registerCancel(app, deps);
}

function registerRead(app: RouterApp, deps: JobRoutesDeps): void {
  app.get(
    "/api/v1/requests/:request_id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "How a job goes: status, result, attempts, decision",
        security: SECURED,
        params: jobParams,
        headers: jobUserHeader,
        response: {
          200: describedJson("How the job goes.", jobSchema),
          ...errorResponses("USER_MISMATCH", "REQUEST_NOT_FOUND"),
        },
      },
    },
    (request) => {
      const job = findJob(request, deps);
      const placement = mayActOn(job, identityOf(request)) ? viewPlacement(job) : null;
      return { ...viewJob(job, deps), placement };
    },
  );
}

function registerCancel(app: RouterApp, deps: JobRoutesDeps): void {
  app.delete(
    "/api/v1/requests/:request_id",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Cancel a job, down to the worker",
        security: SECURED,
        params: jobParams,
        headers: jobUserHeader,
        response: {
          200: describedJson("The job, cancelled.", jobSchema),
          ...errorResponses(...CANCEL_ERRORS),
        },
      },
    },
    (request) => {
      const job = findJob(request, deps);
      requireActor(request, job, "cancel it");
      deps.jobs.cancel(job);
      return viewJob(job, deps);
    },
  );
}
