import type { Engine } from "./engine.ts";
import { askModels } from "./openai-models.ts";
import { askLoad } from "./prometheus-text.ts";
import { fieldOf, optionalJsonOf, slotsOf } from "./read-answer.ts";

/** Text Generation Inference: GET /v1/models, GET /info for its limit, GET /metrics. */
export const tgi: Engine = {
  name: "tgi",
  defaultSlots: 64,
  checksDisturb: false,
  preallocatesMemory: true,
  loadsOnDemand: false,
  paths: new Set(["/v1/chat/completions", "/v1/completions"]),
  async facts(ask) {
    const models = await askModels(ask);
    const info = optionalJsonOf(await ask("/info"));
    return { models, ...slotsOf(fieldOf(info, "max_concurrent_requests")) };
  },
  load: (ask) => askLoad(ask, { running: ["tgi_batch_current_size"], waiting: ["tgi_queue_size"] }),
};
