import type { Engine } from "./engine.ts";
import { askModels } from "./openai-models.ts";

/**
 * Triton behind its OpenAI-compatible frontend: GET /v1/models. Its metrics count what waits but
 * not what runs, so our own counts serve better.
 */
export const triton: Engine = {
  name: "triton",
  defaultSlots: 32,
  checksDisturb: false,
  preallocatesMemory: false,
  loadsOnDemand: false,
  paths: new Set(["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]),
  facts: async (ask) => ({ models: await askModels(ask) }),
};
