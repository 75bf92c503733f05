import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDemoFleet } from "../../src/demo/demo-fleet.ts";
import type { DemoFleet } from "../../src/demo/demo-fleet.ts";
import { hurrying } from "../support/hurrying-clock.ts";
import { openScene } from "../support/router-scene.ts";
import { destroyMidStream, error, steppedStream } from "../support/stub-behaviours.ts";
import { startStubWorker } from "../support/stub-worker.ts";
import type { StubWorker } from "../support/stub-worker.ts";
import { startTestRouter } from "../support/test-router.ts";
import type { TestRouter } from "../support/test-router.ts";

const hello = { model: "demo-small", messages: [{ role: "user" as const, content: "Hello" }] };

function clientOf({ url, keys }: TestRouter, apiKey = keys.user): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
}

describe("the official openai client, in front of the demo's workers", () => {
  let fleet: DemoFleet;
  let slashed: StubWorker;
  let router: TestRouter;
  let client: OpenAI;

  beforeAll(async () => {
    fleet = await startDemoFleet({ clock: hurrying, host: "::1", makeKey: () => "unused" });
    slashed = await startStubWorker({ models: ["meta-llama/Llama-3.1-8B"] });
    const demo = fleet.workers.map(({ id, url }) => ({ id, url }));
    router = await startTestRouter({ workers: [...demo, { id: "slashed", url: slashed.url }] });
    client = clientOf(router);
  });

  afterAll(async () => {
    await router.close();
    await Promise.all([fleet.close(), slashed.close()]);
  });

  test("lists the models of all workers", async () => {
    const { data } = await client.models.list();
    const ids = data.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["demo-embed", "demo-small"]));
    expect(ids).toEqual([...new Set(ids)].toSorted());
    expect(data[0]).toMatchObject({ object: "model", owned_by: "gpu-request-router" });
    expect(data[0]?.created).toBeGreaterThan(1_767_225_600);
  });

  test("retrieves one model, also if its name has a slash", async () => {
    expect(await client.models.retrieve("demo-small")).toMatchObject({ id: "demo-small" });
    const name = "meta-llama/Llama-3.1-8B";
    expect(await client.models.retrieve(name)).toMatchObject({ id: name, object: "model" });
    // Other clients leave the slash as it is.
    expect((await router.get(`/v1/models/${name}`)).status).toBe(200);
  });

  test("chats", async () => {
    const { data, response } = await client.chat.completions.create(hello).withResponse();
    expect(data.choices[0]?.message.content).toMatch(/Simulated/);
    expect(data.usage?.completion_tokens).toBeGreaterThan(0);
    expect(fleet.workers.map(({ id }) => id)).toContain(response.headers.get("x-worker-id"));
  });

  test("streams the same text piece by piece, and its usage where it asks", async () => {
    const stream = await client.chat.completions.create({
      ...hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const pieces: string[] = [];
    let usage: OpenAI.CompletionUsage | null | undefined = null;
    for await (const chunk of stream) {
      pieces.push(chunk.choices[0]?.delta.content ?? "");
      usage = chunk.usage ?? usage;
    }
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.join("")).toMatch(/Simulated/);
    expect(usage?.total_tokens).toBeGreaterThan(usage?.prompt_tokens ?? 0);
  });

  test("embeds, with base64 on the wire as with floats", async () => {
    const wanted = { model: "demo-embed", input: ["a card", "a cat"] };
    const inBase64 = await client.embeddings.create(wanted);
    const asFloats = await client.embeddings.create({ ...wanted, encoding_format: "float" });
    expect(inBase64.data.map(({ embedding }) => embedding.length)).toEqual([64, 64]);
    const [one, other] = [inBase64, asFloats].map(({ data }) => data[1]?.embedding ?? []);
    for (const [at, value] of one!.entries()) expect(other![at]).toBeCloseTo(value, 6);
    expect(inBase64.data[0]?.embedding).not.toEqual(one);
  });

  test("completes", async () => {
    const wanted = { model: "demo-small", prompt: "A GPU is", max_tokens: 8 };
    const { choices, usage } = await client.completions.create(wanted);
    expect(choices[0]?.text).not.toBe("");
    expect(usage?.completion_tokens).toBeLessThanOrEqual(8);
  });

  test("meets an unknown model as its own NotFoundError, with our code", async () => {
    const refused = client.chat.completions.create({ ...hello, model: "gpt-9" });
    await expect(refused).rejects.toThrow(OpenAI.NotFoundError);
    await expect(refused).rejects.toMatchObject({ status: 404, code: "MODEL_NOT_FOUND" });
    await expect(refused).rejects.toThrow("no worker serves the model gpt-9; served: demo-");
    await expect(client.models.retrieve("gpt-9")).rejects.toMatchObject({
      status: 404,
      code: "MODEL_NOT_FOUND",
      param: "model",
    });
  });

  test("meets a wrong key as its own AuthenticationError", async () => {
    const refused = clientOf(router, "no-key-of-ours").models.list();
    await expect(refused).rejects.toThrow(OpenAI.AuthenticationError);
    await expect(refused).rejects.toMatchObject({ status: 401, code: "UNAUTHORIZED" });
  });

  test("meets a body that cannot be routed as its own BadRequestError", async () => {
    const refused = client.chat.completions.create({ ...hello, model: 7 as never });
    await expect(refused).rejects.toThrow(OpenAI.BadRequestError);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST", param: "model" });
    await expect(refused).rejects.toHaveProperty("requestID", expect.stringMatching(/^[\w-]{36}$/));
  });

  test("meets the worker's own refusal of a body as it came", async () => {
    const refused = client.chat.completions.create({ ...hello, messages: [] });
    await expect(refused).rejects.toThrow(OpenAI.BadRequestError);
    await expect(refused).rejects.toThrow("messages");
  });
});

const streamed = { ...hello, model: "stub-model", stream: true as const };

test("an abort in the middle of a stream reaches the worker, and nothing is left over", async () => {
  const { router, stub } = await openScene({ behaviour: steppedStream() });
  stub.stream.step();
  const stream = await clientOf(router).chat.completions.create(streamed);
  for await (const chunk of stream) {
    expect(chunk.choices[0]?.delta.content).toBe("token0 ");
    stream.controller.abort();
  }
  expect((await stub.nextAbort())?.path).toBe("/v1/chat/completions");
  expect(stub.aborted).toBe(1);
  const [line] = await router.requestLines(1);
  expect(line?.fields).toMatchObject({ status: 499, stream: true });
});

test("leaving the loop over a stream reaches the worker, too", async () => {
  const { router, stub } = await openScene({ behaviour: steppedStream() });
  stub.stream.step();
  for await (const chunk of await clientOf(router).chat.completions.create(streamed)) {
    expect(chunk.choices).toHaveLength(1);
    break;
  }
  await stub.nextAbort();
  expect(stub.aborted).toBe(1);
});

test("a worker that dies in the middle of a stream is an error, not a silent end", async () => {
  const { router } = await openScene({ behaviour: destroyMidStream(2) });
  const stream = await clientOf(router).chat.completions.create(streamed);
  const pieces: string[] = [];
  const read = async (): Promise<void> => {
    for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta.content ?? "");
  };
  const failure = await read().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(failure).toBeInstanceOf(OpenAI.APIError);
  expect(failure).toMatchObject({ code: "WORKER_FAILED", type: "api_error" });
  expect(pieces).toEqual(["token0 ", "token1 "]);
});

test("a fleet that fails is an InternalServerError that names the worker", async () => {
  const { router } = await openScene({ behaviour: error(500, "CUDA error") });
  const refused = clientOf(router).chat.completions.create({ ...hello, model: "stub-model" });
  await expect(refused).rejects.toThrow(OpenAI.InternalServerError);
  await expect(refused).rejects.toMatchObject({ status: 502, code: "WORKER_FAILED" });
  await expect(refused).rejects.toThrow(/4 attempts failed; worker-1: answered 500/);
});
