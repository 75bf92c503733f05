import { SHORTEST_S, mapping, mebibytes, seconds, whole } from "../fields.ts";

export const requestRouter = mapping({
  max_retries: whole(0, 20)
    .default(3)
    .describe(
      "Further attempts after a failed one: 3 = up to 4 attempts. 0 if your clients retry " +
        "themselves.",
    ),
  retry_delay: seconds(0, 60)
    .default(1)
    .describe(
      "Wait before a retry that the worker may have seen; one that was never sent is retried " +
        "at once.",
    ),
  request_timeout: seconds(SHORTEST_S, 604_800)
    .default(30)
    .describe(
      "Time for a whole answer, or for the first byte of a stream, unless the client sends its " +
        "own. Raise it for long generations.",
    ),
  max_timeout: seconds(SHORTEST_S, 604_800)
    .default(86_400)
    .describe("Longest timeout that a client may ask for."),
  stream_idle_timeout: seconds(SHORTEST_S, 86_400)
    .default(30)
    .describe("A stream that brings no byte for this long is ended. Raise it for slow models."),
  max_response_mb: mebibytes(4096)
    .default(64)
    .describe("Largest JSON answer held in memory. Raise it for large batches of embeddings."),
})
  .superRefine((settings, context) => {
    if (settings.request_timeout <= settings.max_timeout) return;
    const message = `must be at most request_router.max_timeout (${settings.max_timeout})`;
    context.addIssue({ code: "custom", path: ["request_timeout"], message });
  })
  .prefault({})
  .describe("Attempts and deadlines of one request.");
