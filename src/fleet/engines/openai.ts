import { API_PATHS } from "../worker.ts";
import type { Engine } from "./engine.ts";
import { MODELS_PATH, readModels } from "./openai-models.ts";

/** Anything else that speaks OpenAI's API. GET /v1/models is asked, and may be missing. */
export const openai: Engine = {
  name: "openai",
  defaultSlots: 32,
  checksDisturb: true,
  preallocatesMemory: false,
  loadsOnDemand: false,
  paths: new Set(API_PATHS),
  async facts(ask) {
    const answer = await ask(MODELS_PATH);
    return answer.status === 404 ? {} : { models: readModels(answer) };
  },
};
