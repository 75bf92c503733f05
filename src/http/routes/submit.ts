import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import type { Callbacks } from "../../requests/callbacks.ts";
import type { Job } from "../../requests/job.ts";
import type { Jobs } from "../../requests/jobs.ts";
import { submittingUser } from "../caller.ts";
import { routeBodySchema, toRoutedRequest, type JobTimeouts } from "../envelope.ts";
import {
  submittedSchema,
  viewPlacement,
  viewResult,
  viewSubmission,
  type JobOutlook,
} from "../job-view.ts";
import type { NewWork } from "../new-work.ts";
import { parseWaitMs } from "../prefer.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";
import { onceHeaders, submitOnce, type SubmitOnceDeps } from "../submit-once.ts";

export interface SubmitRoutesDeps extends JobOutlook, SubmitOnceDeps {
  readonly jobs: Jobs;
  readonly callbacks: Pick<Callbacks, "check" | "send">;
  readonly timeouts: JobTimeouts;
  readonly newWork: NewWork;
}

/** Those of the tick of the submission; what happens later is in the job. */
export const SUBMIT_ERRORS = [
  "USER_MISMATCH",
  "PRIORITY_LIMIT_EXCEEDED",
  "MODEL_NOT_FOUND",
  "REQUEST_ID_TAKEN",
  "BODY_TOO_LARGE",
  "NO_GPU_FITS",
  "IDEMPOTENCY_MISMATCH",
  "QUOTA_EXCEEDED",
  "QUEUE_FULL",
  "NO_GPU_AVAILABLE",
  "SHUTTING_DOWN",
] as const;

const submitHeaders = onceHeaders.extend({
  prefer: z.string().optional().describe("wait=<seconds>, at most 300."),
});

export function submitRoutes(app: RouterApp, deps: SubmitRoutesDeps): void {
  app.post(
    "/api/v1/route",
    {
      config: { access: "user" },
      onRequest: deps.newWork.beforeBody,
      schema: {
        tags: ["Jobs"],
        summary: "Submit a job",
        description:
          "Answers at once with where the job went; GET /api/v1/requests/{request_id} tells how it " +
          "goes. With the header `Prefer: wait=20` it waits up to 20 s for the result.",
        security: SECURED,
        headers: submitHeaders,
        body: routeBodySchema,
        response: {
          200: describedJson("Where the job went.", submittedSchema),
          ...errorResponses(...SUBMIT_ERRORS),
        },
      },
    },
    async (request, reply) => {
      const { body, bodyText } = request;
      const user = submittingUser(request, body);
      const { jobs } = submitOnce(deps, { request, reply, user }, () => {
        const routed = toRoutedRequest(body, { ...deps, user, bytes: Buffer.from(bodyText) });
        deps.newWork.admit(routed.band);
        const callbackUrl = callbackOf(deps, body, user);
        const expectedDurationMs = body.resource_requirements?.expected_duration ?? null;
        const job = deps.jobs.submit(routed, { expectedDurationMs, callbackUrl });
        return { id: job.id, requestIds: [job.id], jobs: [job] };
      });
      const job = jobs[0]!;
      const waitMs = parseWaitMs(request.headers.prefer);
      if (waitMs !== null) {
        reply.header("preference-applied", `wait=${waitMs / 1000}`);
        await waitFor(job, { waitMs, reply, clock: deps.clock });
      }
      const view = { ...viewSubmission(job, deps), placement: viewPlacement(job) };
      return waitMs !== null && job.isOver ? { ...view, ...viewResult(job) } : view;
    },
  );
}

/** Throws INVALID_REQUEST. */
export function callbackOf(
  { callbacks }: Pick<SubmitRoutesDeps, "callbacks">,
  body: { readonly callback_url?: string | undefined },
  user: string,
): URL | null {
  return body.callback_url === undefined ? null : callbacks.check(body.callback_url, user);
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
