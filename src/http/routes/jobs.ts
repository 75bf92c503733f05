import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { RouterError } from "../../errors.ts";
import type { ExpectedDurations } from "../../requests/expected-duration.ts";
import type { Job } from "../../requests/job.ts";
import type { Jobs } from "../../requests/jobs.ts";
import type { JobStore } from "../../requests/store.ts";
import { identityOf } from "../auth.ts";
import { effectiveUser, seesEverything, type TimeoutLimits } from "../caller.ts";
import { routeBodySchema, toRoutedRequest } from "../envelope.ts";
import { jobSchema, submittedSchema, viewJob, viewResult, viewSubmission } from "../job-view.ts";
import { WISH_HEADERS } from "../openai-schemas.ts";
import { parseWaitMs } from "../prefer.ts";
import { refuseUnsupported } from "../unsupported.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";
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
const userHeader = WISH_HEADERS.pick({ "x-user-id": true });

/** Those of the tick of the submission; what happens later is in the job. */
const SUBMIT_ERRORS = [
  "USER_MISMATCH",
  "MODEL_NOT_FOUND",
  "REQUEST_ID_TAKEN",
  "BODY_TOO_LARGE",
  "NO_GPU_FITS",
  "QUEUE_FULL",
  "NO_GPU_AVAILABLE",
  "SHUTTING_DOWN",
] as const;
const CANCEL_ERRORS = [
  "FORBIDDEN",
  "USER_MISMATCH",
  "REQUEST_NOT_FOUND",
  "ALREADY_FINISHED",
  "BODY_TOO_LARGE",
] as const;

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
      preValidation: refuseUnsupported,
      schema: {
        tags,
        summary: "Submit a job",
        description:
          "Answers at once with where the job went; GET /api/v1/requests/{request_id} tells how it " +
          "goes. With the header `Prefer: wait=20` it waits up to 20 s for the result.",
        security: SECURED,
        headers: z.object({
          prefer: z.string().optional().describe("wait=<seconds>, at most 300."),
        }),
        body: routeBodySchema,
        response: {
          200: describedJson("Where the job went.", submittedSchema),
          ...errorResponses(...SUBMIT_ERRORS),
        },
      },
    },
    async (request, reply) => {
      if (deps.isDraining()) throw new RouterError("SHUTTING_DOWN", "the router is stopping");
      const { clock, timeouts } = deps;
      const { bodyText } = request;
      const identity = identityOf(request);
      const context = { identity, bodyText, clock, timeouts };
      const routed = toRoutedRequest(request.body, context);
      const needs = request.body.resource_requirements;
      const job = deps.jobs.submit(routed, needs?.expected_duration ?? null);
      const waitMs = parseWaitMs(request.headers.prefer);
      if (waitMs !== null) {
        reply.header("preference-applied", `wait=${waitMs / 1000}`);
        await waitFor(job, { waitMs, reply, clock });
      }
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
        headers: userHeader,
        response: {
          200: describedJson("How the job goes.", jobSchema),
          ...errorResponses("USER_MISMATCH", "REQUEST_NOT_FOUND"),
        },
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
        headers: userHeader,
        response: {
          200: describedJson("The job, cancelled.", jobSchema),
          ...errorResponses(...CANCEL_ERRORS),
        },
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

/** Another user's job looks exactly like an unknown one. */
function findJob(
  request: FastifyRequest<{
    Params: z.output<typeof idParams>;
    Headers: z.output<typeof userHeader>;
  }>,
  { store }: JobRoutesDeps,
): Job {
  const identity = identityOf(request);
  const id = request.params.request_id;
  const named = request.headers["x-user-id"];
  const own = store.find(effectiveUser(identity, named, "x-user-id"), id);
  const mayBeAnyones = own === null && named === undefined && mayReadOthers(identity);
  const [job, twin] = mayBeAnyones ? store.findOfAnyone(id) : [own];
  if (twin) {
    const message = "several users have a job with this id: say whose with x-user-id";
    throw new RouterError("INVALID_REQUEST", message, { param: "x-user-id" });
  }
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
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(waitMs, resolve);
  const stopListening = job.onEnd(() => resolve());
  reply.raw.once("close", resolve);
  await promise;
  timer.cancel();
  stopListening();
}
