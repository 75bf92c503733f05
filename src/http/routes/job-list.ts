import { z } from "zod";
import { RouterError } from "../../errors.ts";
import { JOB_STATES, type JobState } from "../../requests/request.ts";
import type { JobStore } from "../../requests/store.ts";
import { jobUserHeader, readableJobs } from "../find-job.ts";
import { jobSummarySchema, viewSummary, type JobOutlook } from "../job-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface JobListDeps extends JobOutlook {
  readonly store: JobStore;
}

const ONE_STATE = JOB_STATES.join("|");

const listQuery = z.strictObject({
  status: z
    .string()
    .regex(
      new RegExp(`^(?:${ONE_STATE})(?:,(?:${ONE_STATE}))*$`),
      `must be one or several of ${JOB_STATES.join(", ")}, with commas between them`,
    )
    .optional()
    .describe("Only jobs in these states, such as `queued,processing`."),
  limit: z.coerce.number().int().min(1).max(200).default(50).describe("Jobs on a page."),
  cursor: z.string().optional().describe("next_cursor of the page before."),
});

const jobListSchema = z
  .object({
    requests: z.array(jobSummarySchema).describe("Newest first."),
    next_cursor: z.string().nullable().describe("For the next page; null = this is the last one."),
  })
  .describe("Jobs, without their results and decisions.")
  .meta({ id: "JobList" });

export function jobListRoutes(app: RouterApp, deps: JobListDeps): void {
  app.get(
    "/api/v1/requests",
    {
      config: { access: "user" },
      schema: {
        tags: ["Jobs"],
        summary: "Your jobs, newest first",
        description:
          "Roles service, operator and admin get everybody's jobs; with x-user-id, that user's.",
        security: SECURED,
        headers: jobUserHeader,
        querystring: listQuery,
        response: {
          200: describedJson("A page of jobs.", jobListSchema),
          ...errorResponses("USER_MISMATCH"),
        },
      },
    },
    (request) => {
      const { status, limit, cursor } = request.query;
      const { user, orAnyones } = readableJobs(request);
      const { jobs, next } = deps.store.page({
        user: orAnyones ? null : user,
        states: new Set((status?.split(",") ?? []) as JobState[]),
        before: cursor === undefined ? Infinity : readCursor(cursor),
        limit,
      });
      return {
        requests: jobs.map((job) => viewSummary(job, deps)),
        next_cursor: next === null ? null : writeCursor(next),
      };
    },
  );
}

/** Clients pass it on as it is, so it may change without notice. */
function writeCursor(sequence: number): string {
  return Buffer.from(`before ${sequence}`).toString("base64url");
}

function readCursor(cursor: string): number {
  const sequence = Number(/^before (\d{1,15})$/.exec(fromBase64url(cursor))?.[1] ?? NaN);
  if (writeCursor(sequence) === cursor) return sequence;
  const message = "cursor must be the next_cursor of an earlier answer: leave it out to begin anew";
  throw new RouterError("INVALID_REQUEST", message, { param: "cursor" });
}

const fromBase64url = (text: string): string => Buffer.from(text, "base64url").toString();
