import { API_PATHS } from "../worker.ts";
import type { Ask, Engine } from "./engine.ts";
import { askModels } from "./openai-models.ts";
import { askLoad } from "./prometheus-text.ts";
import { fieldOf, optionalJsonOf, slotsOf } from "./read-answer.ts";

/**
 * SGLang: GET /v1/models, GET /get_server_info (newer: /server_info), GET /metrics (only with
 * --enable-metrics; gateways rewrite the colon of its names to an underscore).
 */
export const sglang: Engine = {
  name: "sglang",
  defaultSlots: 64,
  checksDisturb: false,
  preallocatesMemory: true,
  loadsOnDemand: false,
  paths: new Set(API_PATHS),
  facts: async (ask) => ({ models: await askModels(ask), ...(await askSlots(ask)) }),
  load: (ask) =>
    askLoad(ask, {
      running: ["sglang:num_running_reqs", "sglang_num_running_reqs"],
      waiting: ["sglang:num_queue_reqs", "sglang_num_queue_reqs"],
    }),
};

async function askSlots(ask: Ask): Promise<{ readonly slots?: number }> {
  const old = await ask("/get_server_info");
  const info = optionalJsonOf(old.status === 404 ? await ask("/server_info") : old);
  return slotsOf(effectiveLimit(info) ?? fieldOf(info, "max_running_requests"));
}

/** The limit in force, per data-parallel rank; the top-level one is null unless it was configured. */
function effectiveLimit(info: unknown): number | null {
  const states = fieldOf(info, "internal_states");
  if (!Array.isArray(states) || states.length === 0) return null;
  const limits = states.map((state) => fieldOf(state, "effective_max_running_requests_per_dp"));
  return limits.every((limit) => typeof limit === "number")
    ? limits.reduce((sum, limit) => sum + limit, 0)
    : null;
}
