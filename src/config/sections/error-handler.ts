import { SHORTEST_S, mapping, number, seconds, toggle, whole } from "../fields.ts";

export const errorHandler = mapping({
  max_retries: whole(0, 20)
    .default(3)
    .describe(
      "How often a failed telemetry poll is repeated before the next one is due. " +
        "request_router.max_retries is the one for requests.",
    ),
  retry_delay: seconds(0, 60).default(1).describe("Wait between those repeats."),
  error_threshold: number(0.001, 1)
    .default(0.1)
    .describe(
      "Share of failed requests (0 to 1) above which a worker cools down. Raise it for workers " +
        "that often fail harmlessly.",
    ),
  gpu_cooldown_period: seconds(SHORTEST_S, 86_400)
    .default(300)
    .describe("How long a failing worker gets no new requests. Lower it if yours recover fast."),
  early_recovery: toggle()
    .default(false)
    .describe(
      "Probes a cooling worker as soon as it answers two checks in a row, one every " +
        "update_interval. Turn it on if yours come back well by themselves.",
    ),
})
  .prefault({})
  .describe("Failed polls, and what a failing worker is kept out for.");
