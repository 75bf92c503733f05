import { z } from "zod";
import { identityOf } from "../auth.ts";
import { EventStream } from "../event-stream.ts";
import { findJob, type JobLookup, jobParams, jobUserHeader, mayActOn } from "../find-job.ts";
import type { JobOutlook } from "../job-view.ts";
import { JobWatch } from "../job-watch.ts";
import type { RouterApp } from "../router-app.ts";
import { errorResponses, SECURED } from "../schemas.ts";

export interface JobEventsDeps extends JobOutlook, JobLookup {}

export function jobEventsRoutes(app: RouterApp, deps: JobEventsDeps): void {
  app.get(
    "/api/v1/requests/:request_id/events",
    {
      config: { access: "user" },
      // A HEAD would wait for the end of the job without ever showing anything.
      exposeHeadRoute: false,
      schema: {
        tags: ["Jobs"],
        summary: "Follow a job, as server-sent events",
        description:
          "`state` at once and at each change, `queue` when its place in the queue changes, " +
          "`progress` while it runs, and at last `done` with all that GET /api/v1/requests/" +
          "{request_id} says. A comment every 15 s keeps the connection open. The page at /docs shows " +
          "all of it when the job is over; use `curl -N` to see it as it comes.",
        security: SECURED,
        params: jobParams,
        headers: jobUserHeader,
        response: {
          200: {
            description: "Events until the job is over; data is one line of JSON each.",
            content: { "text/event-stream": { schema: z.string() } },
          },
          ...errorResponses("USER_MISMATCH", "REQUEST_NOT_FOUND"),
        },
      },
    },
    (request, reply) => {
      const job = findJob(request, deps);
      const showsPlacement = mayActOn(job, identityOf(request));
      reply.hijack();
      const events = new EventStream(reply.raw, request.id);
      const watch = new JobWatch({ job, events, outlook: deps, showsPlacement });
      reply.raw.once("close", () => watch.stop());
      watch.start();
    },
  );
}
