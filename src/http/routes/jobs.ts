import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { RouterError } from "../../errors.ts";
import type { ExpectedDurations } from "../../requests/expected-duration.ts";
import type { Job } from "../../requests/job.ts";
import type { Jobs } from "../../requests/jobs.ts";
import type { JobStore } from "../../requests/store.ts";
import { identityOf } from "../auth.ts";
import { seesEverything, type TimeoutLimits } from "../caller.ts";
import { routeBodySchema, toRoutedRequest } from "../envelope.ts";
import { jobSchema, submittedSchema, viewJob, viewResult, viewSubmission } from "../job-view.ts";
import { parseWaitMs } from "../prefer.ts";
import { errorResponses, SECURED } from "../schemas.ts";
import type { RouterApp } from "../router-app.ts";

export interface JobRoutesDeps {
  readonly clock: Clock;
  readonly jobs: Jobs;
  readonly store: JobStore;
  readonly expected: ExpectedDurations;
  readonly timeouts: TimeoutLimits;
  readonly isDraining: () => boolean;
}

const tags = ["Jobs"];
const idParams = z.object({ request_id: z.string() });

export function jobRoutes(app: RouterApp, deps: JobRoutesDeps): void {
  registerSubmit(app, deps);
  registerRead(app, deps);
  registerCancel(app, deps);
}

function registerSubmit(app: RouterApp, deps: JobRoutesDeps): void {
  app.post(
    "/api/v1/route",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Submit a job",
        description:
          "Answers at once with where the job went; GET /api/v1/requests/{request_id} tells how it " +
          "goes. With the header `Prefer: wait=20` it waits up to 20 s for the result.",
        security: SECURED,
        headers: z.object({ prefer: z.string().optional().describe("wait=<seconds>") }),
        body: routeBodySchema,
        response: {
          200: submittedSchema,
          ...errorResponses(404, 409, 413, 415, 422, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      refuseUnsupported(request);
      if (deps.isDraining()) throw new RouterError("SHUTTING_DOWN", "the router is stopping");
      const { clock, timeouts } = deps;
      const context = { identity: identityOf(request), requestId: request.id, clock, timeouts };
      const routed = toRoutedRequest(request.body, context);
      const needs = request.body.resource_requirements;
      const job = deps.jobs.submit(routed, needs?.expected_duration ?? null);
      const waitMs = parseWaitMs(request.headers.prefer);
      if (waitMs !== null) await waitFor(job, { waitMs, reply, clock });
      const view = viewSubmission(job, deps.expected.ofModel(routed.model));
      return waitMs !== null && job.isOver ? { ...view, ...viewResult(job) } : view;
    },
  );
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
        params: idParams,
        response: { 200: jobSchema, ...errorResponses(404) },
      },
    },
    (request) => {
      const job = findJob(request, deps);
      return viewJob(job, deps.expected.ofModel(job.request.model));
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
        params: idParams,
        response: { 200: jobSchema, ...errorResponses(404, 409) },
      },
    },
    (request) => {
      const job = findJob(request, deps);
      mayCancel(request, job);
      deps.jobs.cancel(job);
      return viewJob(job, deps.expected.ofModel(job.request.model));
    },
  );
}

/** A key that is accepted and not honoured would run the job twice: better to say so. */
function refuseUnsupported({ headers }: FastifyRequest): void {
  if (headers["idempotency-key"] === undefined) return;
  const message = "Idempotency-Key is not supported yet: leave it out, or send your own request_id";
  throw new RouterError("INVALID_REQUEST", message, { param: "idempotency-key" });
}

/** Another user's job looks exactly like an unknown one. */
function findJob(
  request: FastifyRequest<{ Params: z.output<typeof idParams> }>,
  { store }: JobRoutesDeps,
): Job {
  const identity = identityOf(request);
  const id = request.params.request_id;
  const own = store.find(identity.user, id);
  const job = own ?? (mayReadOthers(identity) ? store.findOfAnyone(id) : null);
  if (job) return job;
  const message =
    "no such job of yours: it may have expired (jobs.ttl), or the router was restarted since";
  throw new RouterError("REQUEST_NOT_FOUND", message, { param: "request_id" });
}

function mayReadOthers(identity: ReturnType<typeof identityOf>): boolean {
  return identity.role === "service" || seesEverything(identity);
}

/** Operators look at every job and end none but their own; services act for their users. */
function mayCancel(request: FastifyRequest, job: Job): void {
  const { user, role } = identityOf(request);
  if (job.owner === user || role === "service" || role === "admin") return;
  throw new RouterError("FORBIDDEN", "only the job's owner, a service or an admin may cancel it");
}

/** The job goes on when the wait is over, or the client has gone. */
async function waitFor(
  job: Job,
  { waitMs, reply, clock }: { waitMs: number; reply: FastifyReply; clock: Clock },
): Promise<void> {
  reply.header("preference-applied", `wait=${Math.round(waitMs / 1000)}`);
  await new Promise<void>((resolve) => {
    const timer = clock.after(waitMs, resolve);
    const stop = job.onEnd(() => resolve());
    const done = (): void => {
      timer.cancel();
      stop();
      resolve();
    };
    reply.raw.once("close", done);
    job.onEnd(done);
  });
}
