import { API_PATHS } from "../worker.ts";
import type { Engine } from "./engine.ts";
import { askModels } from "./openai-models.ts";
import { askLoad } from "./prometheus-text.ts";
import { fieldOf, jsonOf, slotsOf } from "./read-answer.ts";

/**
 * llama.cpp's server: GET /props for its slots, GET /v1/models, GET /metrics (only with --metrics).
 * llama-cpp-python speaks the same API, without /props, and runs one request at a time.
 */
export const llamacpp: Engine = {
  name: "llamacpp",
  defaultSlots: 1,
  checksDisturb: true,
  preallocatesMemory: false,
  loadsOnDemand: false,
  paths: new Set(API_PATHS),
  async facts(ask) {
    // First, because some versions list their model while they are still loading it; /props says 503.
    const props = await ask("/props");
    const slots =
      props.status === 404 ? {} : slotsOf(fieldOf(jsonOf(props, "/props"), "total_slots"));
    return { models: await askModels(ask), ...slots };
  },
  load: (ask) =>
    askLoad(ask, {
      running: ["llamacpp:requests_processing"],
      waiting: ["llamacpp:requests_deferred"],
    }),
};
