import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Quotas } from "../admission/quotas.ts";
import { RouterError } from "../errors.ts";
import { digestOf, type IdempotencyKeys, type Submission } from "../requests/idempotency.ts";
import { jobUserHeader } from "./find-job.ts";
import { setRateLimits } from "./rate-limit-headers.ts";

/** The headers that any submission may have. */
export const onceHeaders = jobUserHeader.extend({
  "idempotency-key": z
    .string()
    .regex(/^[\x20-\x7e]{1,255}$/, "must be 1 to 255 printable ASCII characters")
    .optional()
    .describe(
      "Your own name for this submission: repeating it within 24 hours, with the same body, " +
        "answers with what it made the first time.",
    ),
});

export interface SubmitOnceDeps {
  readonly idempotencyKeys: IdempotencyKeys;
  readonly quotas: Quotas;
}

interface Call {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Whose key it is, and whose limits. */
  readonly user: string;
}

/** As `once`, and tells what the user has left afterwards, be it accepted or refused. */
export function submitOnce(deps: SubmitOnceDeps, call: Call, run: () => Submission): Submission {
  try {
    return once(deps.idempotencyKeys, call, run);
  } catch (error) {
    throw error instanceof RouterError ? namingJobFields(error) : error;
  } finally {
    setRateLimits(call.reply, deps.quotas, call.user);
  }
}

/** What the bodies of /v1 call model is model_id in a job, whole or in a batch. */
function namingJobFields(error: RouterError): RouterError {
  const { code, message, param } = error;
  if (code !== "MODEL_NOT_FOUND" || param === null) return error;
  return new RouterError(code, message, {
    param: param.replace(/model$/, "model_id"),
    cause: error,
  });
}

/** Runs the submission, unless its Idempotency-Key says that it is a repetition: that is answered. */
function once(keys: IdempotencyKeys, call: Call, run: () => Submission): Submission {
  const { request, reply, user } = call;
  const { "idempotency-key": key } = request.headers as z.output<typeof onceHeaders>;
  if (key === undefined) return run();
  const digest = digestOf(request.routeOptions.url ?? "", request.bodyText);
  const { isReplay, ...submission } = keys.once({ user, key, digest }, run);
  if (isReplay) reply.header("idempotent-replayed", "true");
  return submission;
}
