import { createMetrics } from "../../src/observability/metrics.ts";
import { readExposition } from "../support/exposition.ts";
import type { ScrapedFamily } from "../support/exposition.ts";
import { gpu } from "../support/fleet-builders.ts";
import { metricsView } from "../support/metrics-view.ts";
import { fleetOf, serving } from "../support/routing-builders.ts";

/** Every metric that the code registers, out of a scrape in which each has a series. */
export async function registeredMetrics(): Promise<ReadonlyMap<string, ScrapedFamily>> {
  const load = { active: 1, ownAtPoll: 0, receivedAtMs: 0 };
  const gpus = [gpu("GPU-1")];
  const sources = [
    { name: "monitor", host: "monitor", lastSuccessAtMs: 0, failure: null, isOutdated: false },
  ];
  const fleet = fleetOf([serving(0, { load, gpuIds: ["GPU-1"], gpus })], { sources });
  const metrics = createMetrics(metricsView({ snapshot: () => fleet }));
  metrics.requestEnded({
    ...{ requestId: "r", user: "u", path: "/v1/chat/completions", model: "m", band: 3 },
    ...{ stream: false, status: 200, errorCode: null, workerId: "worker-0", gpuId: "GPU-1" },
    ...{ attempts: 1, queueMs: 0, firstByteMs: 1, totalMs: 1 },
    ...{ promptTokens: 1, completionTokens: 1 },
  });
  return readExposition(await metrics.text());
}
