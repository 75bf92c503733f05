import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import { embed } from "./embeddings.ts";
import { composeAnswer } from "./generation.ts";
import { DEMO_SLOTS } from "./hardware.ts";
import type { DemoModel } from "./hardware.ts";
import { listenOnLoopback, readBody, sendJson, sendText } from "./loopback-server.ts";
import type { LoopbackServer } from "./loopback-server.ts";
import { chatPrompt, textPrompt } from "./prompt.ts";
import type { Prompt } from "./prompt.ts";
import { parseObject, Refusal } from "./refusal.ts";
import type { JsonObject } from "./refusal.ts";
import { CHAT_FORM, streamedReply, TEXT_FORM, wantsUsage, wholeReply } from "./reply.ts";
import type { ReplyForm } from "./reply.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";
import { TokenBatch } from "./token-batch.ts";
import type { TokenJob } from "./token-batch.ts";

const BODY_LIMIT_BYTES = 32 * 2 ** 20;

/** One inference server on one simulated GPU, speaking as vLLM does. */
export async function startDemoWorker(gpu: SimulatedGpu, clock: Clock): Promise<LoopbackServer> {
  const batch = new TokenBatch({
    clock,
    slots: DEMO_SLOTS,
    speed: gpu.hardware.speed,
    onRunning: (requests) => gpu.setRunning(requests),
  });
  const worker: DemoWorker = { gpu, clock, batch, answers: 0 };
  return listenOnLoopback((request, response) => void answer(worker, request, response));
}

interface DemoWorker {
  readonly gpu: SimulatedGpu;
  readonly clock: Clock;
  readonly batch: TokenBatch;
  answers: number;
}

type Get = (worker: DemoWorker, response: ServerResponse) => void;
type Post = (worker: DemoWorker, body: JsonObject, response: ServerResponse) => void;

const GETS: ReadonlyMap<string, Get> = new Map<string, Get>([
  ["/health", (_worker, response) => sendText(response, 200, { type: "text/plain", text: "" })],
  ["/v1/models", listModels],
  ["/metrics", showMetrics],
]);

const POSTS: ReadonlyMap<string, Post> = new Map<string, Post>([
  ["/v1/chat/completions", chat],
  ["/v1/completions", complete],
  ["/v1/embeddings", embeddings],
]);

async function answer(
  worker: DemoWorker,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  try {
    const get = request.method === "GET" ? GETS.get(path) : undefined;
    const post = request.method === "POST" ? POSTS.get(path) : undefined;
    if (get) get(worker, response);
    else if (post) post(worker, parseObject(await bodyOf(request)), response);
    else throw new Refusal(404, `The demo worker has no ${request.method} ${path}.`);
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(500, String(error));
    sendJson(response, refusal.status, refusal.body());
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const body = await readBody(request, BODY_LIMIT_BYTES);
  if (body === null) throw new Refusal(413, `The body is larger than ${BODY_LIMIT_BYTES} bytes.`);
  return body;
}

function chat(worker: DemoWorker, body: JsonObject, response: ServerResponse): void {
  generate(worker, response, { body, form: CHAT_FORM, prompt: chatPrompt(body) });
}

function complete(worker: DemoWorker, body: JsonObject, response: ServerResponse): void {
  generate(worker, response, { body, form: TEXT_FORM, prompt: textPrompt(body) });
}

interface Generation {
  readonly body: JsonObject;
  readonly form: ReplyForm;
  readonly prompt: Prompt;
}

function generate(worker: DemoWorker, response: ServerResponse, generation: Generation): void {
  const { body, form, prompt } = generation;
  const model = requireModel(worker, body, "generation");
  const gpuName = worker.gpu.hardware.name;
  const plan = {
    form,
    serial: nextSerial(worker),
    model,
    created: Math.floor(worker.clock.wallMs() / 1000),
    answer: composeAnswer(body, prompt, { model, gpuName }),
    promptTokens: prompt.tokens,
  };
  const onToken =
    body["stream"] === true
      ? streamedReply(response, plan, wantsUsage(body))
      : wholeReply(response, plan);
  runJob(worker, response, { model, tokens: plan.answer.tokens.length, onToken });
}

function embeddings(worker: DemoWorker, body: JsonObject, response: ServerResponse): void {
  const model = requireModel(worker, body, "embedding");
  const result = embed(body, model);
  const onToken = (): void => sendJson(response, 200, result);
  runJob(worker, response, { model, tokens: 1, onToken });
}

/** A client that goes away takes its job out of the batch at once. */
function runJob(worker: DemoWorker, response: ServerResponse, job: TokenJob): void {
  response.once("close", worker.batch.submit(job));
}

function requireModel(worker: DemoWorker, body: JsonObject, kind: DemoModel["kind"]): string {
  const name = body["model"];
  if (typeof name !== "string") throw new Refusal(400, "model must be a text.", "model");
  const model = worker.gpu.hardware.models.find((candidate) => candidate.name === name);
  if (!model) throw new Refusal(404, `The model \`${name}\` does not exist.`, "model");
  if (model.kind !== kind) {
    throw new Refusal(400, `The model \`${name}\` is for ${model.kind} only.`, "model");
  }
  return name;
}

function nextSerial(worker: DemoWorker): string {
  worker.answers += 1;
  return `${worker.gpu.hardware.id}-${worker.answers}`;
}

function listModels({ gpu, clock }: DemoWorker, response: ServerResponse): void {
  const created = Math.floor(clock.wallMs() / 1000);
  const data = gpu.hardware.models.map((model) => {
    return { id: model.name, object: "model", created, owned_by: "demo" };
  });
  sendJson(response, 200, { object: "list", data });
}

/** A series per model, as its parts of the worker's one batch; a reader sums them. */
function showMetrics({ gpu, batch }: DemoWorker, response: ServerResponse): void {
  const gauge = (name: string, read: (model: string) => number): readonly string[] => [
    `# TYPE ${name} gauge`,
    ...gpu.hardware.models.map(
      (model) => `${name}{model_name="${model.name}",engine="0"} ${read(model.name)}`,
    ),
  ];
  const lines = [
    ...gauge("vllm:num_requests_running", (model) => batch.running(model)),
    ...gauge("vllm:num_requests_waiting", (model) => batch.waiting(model)),
    ...gauge("vllm:kv_cache_usage_perc", () => batch.running() / DEMO_SLOTS),
  ];
  const type = "text/plain; version=1.0.0; charset=utf-8";
  sendText(response, 200, { type, text: `${lines.join("\n")}\n` });
}
