import { EngineNotReady, type Answer, type Ask } from "./engine.ts";
import { fieldOf, jsonOf, namesIn } from "./read-answer.ts";

export const MODELS_PATH = "/v1/models";

/** The model names of GET /v1/models, as OpenAI defined it and most engines answer it. */
export async function askModels(ask: Ask): Promise<readonly string[]> {
  return readModels(await ask(MODELS_PATH));
}

export function readModels(answer: Answer): readonly string[] {
  const data = fieldOf(jsonOf(answer, MODELS_PATH), "data");
  if (!Array.isArray(data)) {
    throw new Error(`GET ${MODELS_PATH} answered without a list "data": check the worker's engine`);
  }
  const models = namesIn(data, "id");
  if (models.length === 0) throw new EngineNotReady(`GET ${MODELS_PATH} lists no model yet`);
  return models;
}
