import { describe, expect, test } from "vitest";
import { EngineNotReady, type Ask } from "../../../../src/fleet/engines/engine.ts";
import { engines } from "../../../../src/fleet/engines/engines.ts";
import { API_PATHS, ENGINE_NAMES, type EngineName } from "../../../../src/fleet/worker.ts";

type Recorded = Readonly<Record<string, string | number | object>>;

/** Text or JSON is answered with 200, a number as a bare status; all else is 404. */
function answering(recorded: Recorded): Ask & { readonly asked: string[] } {
  const asked: string[] = [];
  const ask = (path: string) => {
    asked.push(path);
    const found = recorded[path] ?? 404;
    if (typeof found === "number") return Promise.resolve({ status: found, text: "" });
    const text = typeof found === "string" ? found : JSON.stringify(found);
    return Promise.resolve({ status: 200, text });
  };
  return Object.assign(ask, { asked });
}

const MODELS = {
  "/v1/models": { object: "list", data: [{ id: "llama", object: "model" }, { id: "lora-1" }] },
};
const withModels = ENGINE_NAMES.filter((name) => name !== "ollama");

function facts(name: EngineName, recorded: Recorded) {
  return engines[name].facts(answering(recorded));
}

function load(name: EngineName, recorded: Recorded) {
  const ask = engines[name].load;
  if (!ask) throw new Error(`${name} does not tell its load`);
  return ask(answering(recorded));
}

describe("the table of engines", () => {
  test("has each under its own name, with slots and known paths", () => {
    for (const name of ENGINE_NAMES) {
      expect(engines[name].name).toBe(name);
      expect(engines[name].defaultSlots).toBeGreaterThan(0);
      for (const path of engines[name].paths) expect(API_PATHS).toContain(path);
      expect(engines[name].paths.has("/v1/chat/completions")).toBe(true);
    }
  });
});

describe("the models of a worker", () => {
  test.each(withModels)("%s lists at /v1/models", async (name) => {
    expect(await facts(name, MODELS)).toMatchObject({ models: ["llama", "lora-1"] });
  });

  test("are left out where the list holds no usable name", async () => {
    const data = [{ id: "llama" }, { id: "" }, { id: 7 }, null, { name: "x" }];
    expect(await facts("vllm", { "/v1/models": { data } })).toEqual({ models: ["llama"] });
  });

  test.each(withModels)("%s that lists none yet is not ready", async (name) => {
    const asked = facts(name, { "/v1/models": { data: [] } });
    await expect(asked).rejects.toThrow(EngineNotReady);
  });

  test.each(withModels)("%s answering 503 is not ready", async (name) => {
    const asked = facts(name, { "/v1/models": 503 });
    await expect(asked).rejects.toThrow(EngineNotReady);
  });

  test.each([401, 403])("a worker that answers %i names the setting", async (status) => {
    const asked = facts("vllm", { "/v1/models": status });
    await expect(asked).rejects.toThrow("worker refused our key");
    await expect(facts("ollama", { "/api/tags": status })).rejects.toThrow("set api_key_env");
  });

  test.each([
    ["404", 404, "url without /v1"],
    ["500", 500, "answered 500, expected 200"],
    ["HTML", "<html>", "without JSON"],
    ["another shape", { models: [] }, 'without a list "data"'],
  ])("%s instead of a list is said in words", async (_, answer, words) => {
    await expect(facts("vllm", { "/v1/models": answer })).rejects.toThrow(words);
  });

  test("stay unknown where an OpenAI server has no list", async () => {
    expect(await facts("openai", {})).toEqual({});
  });
});

describe("Ollama", () => {
  const tags = { models: [{ name: "llama3:latest" }, { name: "qwen2.5:7b" }] };

  test("serves its tags, and :latest also without it", async () => {
    const models = ["llama3:latest", "llama3", "qwen2.5:7b"];
    expect(await facts("ollama", { "/api/tags": tags })).toEqual({ models });
  });

  test("with nothing installed serves nothing, and is ready", async () => {
    expect(await facts("ollama", { "/api/tags": { models: null } })).toEqual({ models: [] });
  });

  test("tells which models are loaded", async () => {
    const ps = { models: [{ name: "llama3:latest", size_vram: 5 }] };
    const { loadedModels } = await load("ollama", { "/api/ps": ps });
    expect([...(loadedModels ?? [])]).toEqual(["llama3:latest", "llama3"]);
  });

  test("takes one request at a time unless told otherwise, and loads on demand", () => {
    expect(engines.ollama).toMatchObject({ defaultSlots: 1, loadsOnDemand: true });
  });
});

describe("slots that an engine tells", () => {
  test("SGLang: the limit in force, summed over data-parallel ranks", async () => {
    const rank = { effective_max_running_requests_per_dp: 48 };
    const info = { max_running_requests: null, internal_states: [rank, rank] };
    expect(await facts("sglang", { ...MODELS, "/get_server_info": info })).toMatchObject({
      slots: 96,
    });
  });

  test("SGLang: the configured limit where the one in force is not told", async () => {
    const info = { max_running_requests: 32, internal_states: [{}] };
    expect(await facts("sglang", { ...MODELS, "/get_server_info": info })).toMatchObject({
      slots: 32,
    });
  });

  test("SGLang: at the new path where the old one is gone", async () => {
    const info = { max_running_requests: 16 };
    expect(await facts("sglang", { ...MODELS, "/server_info": info })).toMatchObject({ slots: 16 });
  });

  test("TGI: max_concurrent_requests", async () => {
    const info = { model_id: "llama", max_concurrent_requests: 128 };
    expect(await facts("tgi", { ...MODELS, "/info": info })).toMatchObject({ slots: 128 });
  });

  test("llama.cpp: total_slots", async () => {
    const props = { total_slots: 4 };
    expect(await facts("llamacpp", { ...MODELS, "/props": props })).toMatchObject({ slots: 4 });
  });

  test.each([null, -1, 0, 2.5, "8", 1e300])("%j is no number of slots", async (value) => {
    const recorded = { ...MODELS, "/info": { max_concurrent_requests: value } };
    expect(await facts("tgi", recorded)).not.toHaveProperty("slots");
  });

  test.each(["sglang", "tgi", "llamacpp"] as const)("%s may keep them to itself", async (name) => {
    expect(await facts(name, MODELS)).toEqual({ models: ["llama", "lora-1"] });
  });
});

describe("llama.cpp", () => {
  test("is not ready while it loads, though it lists its model already", async () => {
    const loading = JSON.stringify({ error: { code: 503, message: "Loading model" } });
    const ask: Ask = (path) =>
      path === "/props" ? Promise.resolve({ status: 503, text: loading }) : answering(MODELS)(path);
    await expect(engines.llamacpp.facts(ask)).rejects.toThrow(new EngineNotReady("Loading model"));
  });
});

describe("the load of a worker", () => {
  const metrics: readonly (readonly [EngineName, string])[] = [
    ["vllm", 'vllm:num_requests_running{engine="0"} 3\nvllm:num_requests_waiting{engine="0"} 2\n'],
    ["sglang", 'sglang:num_running_reqs{m="x"} 3.0\nsglang:num_queue_reqs{m="x"} 2.0\n'],
    ["sglang", "sglang_num_running_reqs 3\nsglang_num_queue_reqs 2\n"],
    ["tgi", "tgi_batch_current_size 3\ntgi_queue_size 2\n"],
    ["llamacpp", "llamacpp:requests_processing 3\nllamacpp:requests_deferred 2\n"],
  ];

  test.each(metrics)("%s: what runs and what waits", async (name, text) => {
    expect(await load(name, { "/metrics": text })).toEqual({ active: 5 });
  });

  test.each(metrics)("%s without metrics does not say", async (name) => {
    expect(await load(name, {})).toEqual({});
    expect(await load(name, { "/metrics": 501 })).toEqual({});
    expect(await load(name, { "/metrics": "other 1\n" })).toEqual({});
  });

  test("is what runs where nothing is said of what waits", async () => {
    expect(await load("vllm", { "/metrics": "vllm:num_requests_running 3" })).toEqual({
      active: 3,
    });
  });
});
