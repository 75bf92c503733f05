import type { Ask, Engine } from "./engine.ts";
import { fieldOf, jsonOf, namesIn } from "./read-answer.ts";

/**
 * Ollama: GET /api/tags for what is installed, GET /api/ps for what is in GPU memory. It has no
 * metrics, and by default runs one request at a time and queues the others.
 */
export const ollama: Engine = {
  name: "ollama",
  defaultSlots: 1,
  checksDisturb: false,
  preallocatesMemory: false,
  loadsOnDemand: true,
  paths: new Set([
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
  ]),
  facts: async (ask) => ({ models: await askNames(ask, "/api/tags") }),
  load: async (ask) => ({ loadedModels: new Set(await askNames(ask, "/api/ps")) }),
};

async function askNames(ask: Ask, path: string): Promise<readonly string[]> {
  const models = fieldOf(jsonOf(await ask(path), path), "models");
  // Go writes an empty list as null.
  if (models === null) return [];
  if (!Array.isArray(models)) {
    throw new Error(`GET ${path} answered without a list "models": check the worker's engine`);
  }
  return [...new Set(namesIn(models, "name").flatMap(withoutLatest))];
}

/** Ollama takes "llama3" for "llama3:latest", so clients say either. */
function withoutLatest(name: string): string[] {
  return name.endsWith(":latest") ? [name, name.slice(0, -":latest".length)] : [name];
}
