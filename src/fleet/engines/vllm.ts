import { API_PATHS } from "../worker.ts";
import type { Engine } from "./engine.ts";
import { askModels } from "./openai-models.ts";
import { askLoad } from "./prometheus-text.ts";

/** vLLM: GET /v1/models, GET /metrics. It does not tell max_num_seqs, whose default is 256. */
export const vllm: Engine = {
  name: "vllm",
  defaultSlots: 256,
  checksDisturb: false,
  preallocatesMemory: true,
  loadsOnDemand: false,
  paths: new Set(API_PATHS),
  facts: async (ask) => ({ models: await askModels(ask) }),
  load: (ask) =>
    askLoad(ask, {
      running: ["vllm:num_requests_running"],
      waiting: ["vllm:num_requests_waiting"],
    }),
};
