import * as z from "zod";
import { parseWorkerUrl } from "../addresses.ts";
import {
  SHORTEST_S,
  address,
  choice,
  distinct,
  known,
  list,
  mapping,
  mebibytes,
  name,
  number,
  seconds,
  text,
  whole,
} from "../fields.ts";
import type { Environment } from "../secrets.ts";
import { readSecret, secretVariable } from "../secrets.ts";

export function workers(engines: readonly string[], env: Environment) {
  return distinct(list(worker(engines, env)), "id", "url")
    .default([])
    .describe("The inference servers that requests are sent to.");
}

function worker(engines: readonly string[], env: Environment) {
  return mapping({
    id: name().describe("Its name in logs, metrics and the x-worker-id header."),
    url: address(parseWorkerUrl).describe("Its base URL; /v1 at the end may stay or go."),
    engine: known(engines, "an engine")
      .default("openai")
      .describe(
        "Its software: vllm, sglang, ollama, llamacpp, tgi, triton, or openai for anything " +
          "else that speaks it.",
      ),
    gpus: gpus
      .default("auto")
      .describe(
        "Ids of the GPUs it runs on. auto = those that the source on its host reports; [] = " +
          "not known.",
      ),
    models: distinct(list(model), "as")
      .default([])
      .describe("What it serves: names, or mappings as below. [] = the worker is asked."),
    slots: whole(1, 100_000)
      .nullable()
      .default(null)
      .describe(
        "How many requests it gets at once. null = what it says itself, or its engine's default.",
      ),
    types: z
      .array(choice(["inference", "training"]), { error: "must be a list" })
      .min(1, { error: "must name at least one type: inference, training" })
      .default(["inference"])
      .describe("Kinds of request it takes: inference, training."),
    api_key_env: secretVariable(env)
      .nullable()
      .default(null)
      .describe(
        "Name of the environment variable with the key that the worker wants. The client's key " +
          "is never sent to it.",
      ),
    load_timeout: seconds(SHORTEST_S, 86_400)
      .default(300)
      .describe("Extra time for a request that has to wait for its model to be loaded."),
  }).transform((settings) => ({ ...settings, api_key: readSecret(env, settings.api_key_env) }));
}

const gpus = z
  .union([z.literal("auto"), z.array(text())], { error: "must be auto or a list of GPU ids" })
  .refine((ids) => ids === "auto" || new Set(ids).size === ids.length, {
    error: "must name each GPU once",
  });

const model = z.preprocess(
  (input) => (typeof input === "string" ? { name: input } : input),
  mapping(
    {
      name: text().describe("What the worker calls it."),
      as: text().nullable().default(null).describe("What clients call it. null = the same."),
      min_compute_capability: number(1, 100)
        .nullable()
        .default(null)
        .describe("Least CUDA compute capability that it runs on, such as 8.0. null = any."),
      memory_mb: mebibytes(100_000_000)
        .nullable()
        .default(null)
        .describe("GPU memory that it needs. null = not known."),
    },
    "a model name or a mapping with name",
  ).transform((settings) => ({ ...settings, as: settings.as ?? settings.name })),
);
