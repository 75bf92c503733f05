import type { EngineName } from "../worker.ts";
import type { Engine } from "./engine.ts";
import { llamacpp } from "./llamacpp.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import { sglang } from "./sglang.ts";
import { tgi } from "./tgi.ts";
import { triton } from "./triton.ts";
import { vllm } from "./vllm.ts";

/** Every engine by its name in the configuration. */
export const engines = {
  vllm,
  sglang,
  ollama,
  llamacpp,
  tgi,
  triton,
  openai,
} as const satisfies Record<EngineName, Engine>;
