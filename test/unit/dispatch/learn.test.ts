import { beforeEach, describe, expect, test } from "vitest";
import { learnFrom } from "../../../src/dispatch/learn.ts";
import type { AttemptRecord } from "../../../src/dispatch/route-request.ts";
import type { SpeedSample } from "../../../src/fleet/speed.ts";
import { attemptRecord, routedRequest } from "../../support/request-builders.ts";
import { modelsOf, servedModel, serving } from "../../support/routing-builders.ts";

let samples: SpeedSample[];
let missing: [number, string][];
let checked: number[];

beforeEach(() => {
  samples = [];
  missing = [];
  checked = [];
});

function learn(changes: Partial<AttemptRecord>): void {
  learnFrom(attemptRecord(changes), routedRequest(), {
    speeds: {
      observe: (sample) => samples.push(sample),
      relativeTo: () => ({ of: () => 1 }),
      tokensPerSecond: () => null,
    },
    modelMissing: (workerIndex, served) => missing.push([workerIndex, served]),
    checkWorker: (workerIndex) => checked.push(workerIndex),
  });
}

describe("speed", () => {
  const { result } = attemptRecord();
  const usage = (completionTokens: number | null) => ({ promptTokens: 1, completionTokens });

  test("is learnt from an answer: its tokens, its time, and how many ran beside it", () => {
    learn({ startedAtMs: 500, endedAtMs: 2500, concurrency: 3.5 });
    expect(samples).toEqual([
      { workerIndex: 0, model: "m", tokens: 100, durationMs: 2000, concurrency: 3.5 },
    ]);
  });

  test("is not learnt from answers that are short or say nothing of tokens", () => {
    learn({ result: { ...result, usage: usage(7) } });
    learn({ result: { ...result, usage: usage(null) } });
    expect(samples).toEqual([]);
    learn({ result: { ...result, usage: usage(8) } });
    expect(samples).toHaveLength(1);
  });

  test("is not learnt where the model had to be loaded first", () => {
    learn({ worker: serving(0, { loadedModels: new Set<string>() }) });
    expect(samples).toEqual([]);
  });

  test("is not learnt from a slow reader, a refusal, or what a placement's caller claims", () => {
    learn({ outcome: { kind: "released", how: "ok" } });
    learn({ result: { ...result, heldUpByClient: true } });
    learn({ outcome: { kind: "answered", status: 400 } });
    learn({ outcome: { kind: "broken", failure: "reset", committed: true } });
    expect(samples).toEqual([]);
  });
});

describe("a worker is asked what it is", () => {
  test("after a connection that failed or broke, and after silence", () => {
    learn({ outcome: { kind: "broken", failure: "reset", committed: false } });
    learn({ outcome: { kind: "unreachable", failure: "refused" } });
    learn({ outcome: { kind: "timeout", workerAlive: false, committed: false } });
    expect(checked).toEqual([0, 0, 0]);
  });

  test("not after a slow answer, a stale connection or an abandoned one", () => {
    learn({ outcome: { kind: "timeout", workerAlive: true, committed: false } });
    learn({ outcome: { kind: "broken", failure: "reset", committed: false, stale: true } });
    learn({ outcome: { kind: "abandoned" } });
    learn({});
    expect(checked).toEqual([]);
  });
});

describe("a 404", () => {
  const NAME = "qwen3:latest";
  const worker = serving(4, { models: modelsOf(servedModel(NAME, { as: "m" })) });

  const answered = (body: string, status = 404): void => {
    const outcome = { kind: "answered", status } as const;
    const answer = { status, contentType: "", body: Buffer.from(body), retryAfterMs: null };
    learn({ worker, outcome, result: { ...attemptRecord().result, outcome, answer } });
  };

  test.each([
    [
      "vLLM and SGLang",
      `{"error":{"message":"The model \`${NAME}\` does not exist.","type":"NotFoundError","param":"model","code":404}}`,
    ],
    [
      "vLLM of before",
      `{"object":"error","message":"The model \`${NAME}\` does not exist.","type":"NotFoundError","param":null,"code":404}`,
    ],
    [
      "Ollama",
      `{"error":{"message":"model \\"${NAME}\\" not found, try pulling it first","type":"api_error","param":null,"code":null}}`,
    ],
    ["Ollama without :latest", '{"error":"model \'qwen3\' not found, try pulling it first"}'],
    ["plain text", `model "${NAME}" not found, try pulling it first`],
    [
      "OpenAI",
      `{"error":{"message":"The model \`${NAME}\` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
    ],
  ])("that refuses the model, as %s words it, drops it from the worker", (_, body) => {
    answered(body);
    expect(missing).toEqual([[4, NAME]]);
  });

  test.each([
    ["FastAPI (vLLM, SGLang, llama-cpp-python)", '{"detail":"Not Found"}'],
    ["llama.cpp", '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'],
    ["Ollama", "404 page not found"],
    ["TGI", ""],
    ["a proxy", "<html><head><title>404 Not Found</title></head><body>nginx</body></html>"],
    ["a path with models in it", '{"error":"POST /v1/models/rerank: no such route"}'],
    ["another model", '{"error":{"message":"The model `lora-7` does not exist."}}'],
    ["a page that names the model late", `${" ".repeat(2000)}model ${NAME}`],
    ["a body that repeats the request", `{"path":"/v1/rerank","got":{"query":"${NAME}"}}`],
  ])("that refuses something else, as %s does, keeps the model", (_, body) => {
    answered(body);
    expect(missing).toEqual([]);
  });

  test("says nothing without its body, and neither does another status", () => {
    answered(`The model ${NAME} does not exist`, 400);
    learn({ worker, outcome: { kind: "answered", status: 404 } });
    expect(missing).toEqual([]);
  });
});
