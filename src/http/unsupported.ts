import type { preValidationHookHandler } from "fastify";
import { RouterError } from "../errors.ts";

/**
 * What a submission may ask for one day. Accepted and not honoured, a key would run a job twice, and
 * a callback would be waited for in vain: better to say so.
 */
export const refuseUnsupported: preValidationHookHandler = (request, _reply, done) => {
  const { headers, body } = request;
  if (headers["idempotency-key"] !== undefined) {
    done(refusal("idempotency-key", "leave it out, or send your own request_id"));
  } else if (typeof body === "object" && body !== null && "callback_url" in body) {
    done(refusal("callback_url", "leave it out, and ask GET /api/v1/requests/{request_id}"));
  } else if (typeof body === "object" && body !== null && "queue_timeout" in body) {
    done(
      refusal("queue_timeout", "leave it out; nothing waits, and full slots answer 503 at once"),
    );
  } else done();
};

function refusal(param: string, instead: string): RouterError {
  const message = `${param} is not supported yet: ${instead}`;
  return new RouterError("INVALID_REQUEST", message, { param });
}
