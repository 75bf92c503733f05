import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startDemoFleet } from "../../src/demo/demo-fleet.ts";
import type { DemoFleet } from "../../src/demo/demo-fleet.ts";
import { FakeClock } from "../support/fake-clock.ts";

let clock: FakeClock;
let fleet: DemoFleet;

beforeEach(async () => {
  clock = new FakeClock();
  fleet = await startDemoFleet({ clock, host: "127.0.0.1", makeKey: () => "unused" });
});

afterEach(() => fleet.close());

const hello = { model: "demo-small", messages: [{ role: "user" as const, content: "Hello" }] };

function urlOf(id: string): string {
  const worker = fleet.workers.find((candidate) => candidate.id === id);
  if (!worker) throw new Error(`The demo has no worker ${id}.`);
  return worker.url;
}

function post(url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url, { method: "POST", body: text, ...(signal ? { signal } : {}) });
}

async function gauge(id: string, name: string): Promise<number> {
  const text = await (await fetch(`${urlOf(id)}/metrics`)).text();
  const samples = text.split("\n").filter((line) => line.startsWith(`vllm:${name}{`));
  return samples.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function untilGauge(id: string, name: string, value: number): Promise<void> {
  while ((await gauge(id, name)) !== value);
}

async function gpuOf(id: string): Promise<Record<string, unknown> | undefined> {
  const answer = await (await fetch(`${fleet.monitoringUrl}/gpus`)).json();
  const { gpus } = answer as { gpus: readonly Record<string, unknown>[] };
  return gpus.find((gpu) => gpu["gpu_id"] === `gpu-${id}`);
}

/** Lets generation go on until the answer is there. */
async function finish(id: string, pending: Promise<Response>): Promise<Response> {
  await untilGauge(id, "num_requests_running", 1);
  clock.advance(10_000);
  return pending;
}

describe("the demo fleet", () => {
  test("is four workers on loopback, each on a GPU that the monitor reports", async () => {
    expect(fleet.workers.map(({ id, engine, gpus, slots }) => [id, engine, gpus, slots])).toEqual([
      ["h100", "vllm", ["gpu-h100"], 8],
      ["a100", "vllm", ["gpu-a100"], 8],
      ["l40s", "vllm", ["gpu-l40s"], 8],
      ["rtx4090", "vllm", ["gpu-rtx4090"], 8],
    ]);
    for (const { id, url } of fleet.workers) {
      expect(new URL(url).hostname).toBe("127.0.0.1");
      expect(await gpuOf(id)).toMatchObject({ status: "available", utilization: 0 });
    }
  });

  test("serves demo-small everywhere, demo-large and demo-embed on two workers each", async () => {
    const models = await Promise.all(
      fleet.workers.map(async ({ url }) => {
        const list = await (await fetch(`${url}/v1/models`)).json();
        return (list as { data: { id: string }[] }).data.map(({ id }) => id);
      }),
    );
    expect(models).toEqual([
      ["demo-small", "demo-large"],
      ["demo-small", "demo-large"],
      ["demo-small", "demo-embed"],
      ["demo-small", "demo-embed"],
    ]);
  });

  test("answers a chat in OpenAI's form, with usage", async () => {
    const url = `${urlOf("a100")}/v1/chat/completions`;
    const response = await finish("a100", post(url, { ...hello, max_tokens: 3 }));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: "chatcmpl-a100-1",
      object: "chat.completion",
      created: clock.wallMs() / 1000 - 10,
      model: "demo-small",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Simulated answer: demo-small ", refusal: null },
          logprobs: null,
          finish_reason: "length",
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
    });
  });

  test("answers a text completion", async () => {
    const url = `${urlOf("l40s")}/v1/completions`;
    const response = await finish("l40s", post(url, { model: "demo-small", prompt: "Hi" }));
    expect(await response.json()).toMatchObject({
      object: "text_completion",
      choices: [{ text: expect.stringContaining("Simulated L40S 48GB"), finish_reason: "stop" }],
    });
  });

  test("streams with pauses: headers come with the first token", async () => {
    const url = `${urlOf("h100")}/v1/chat/completions`;
    const stream_options = { include_usage: true };
    const pending = post(url, { ...hello, max_tokens: 2, stream: true, stream_options });
    await untilGauge("h100", "num_requests_running", 1);
    clock.advance(20.4);
    const response = await pending;
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(await gauge("h100", "num_requests_running")).toBe(1);
    clock.advance(20.4);
    const events = (await response.text()).trim().split("\n\n");
    expect(events.at(-1)).toBe("data: [DONE]");
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice("data: ".length)));
    expect(chunks.map((chunk) => [chunk.choices[0]?.delta, chunk.usage])).toEqual([
      [{ role: "assistant", content: "Simulated " }, null],
      [{ content: "answer: " }, null],
      [{ content: "" }, null],
      [undefined, { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }],
    ]);
    expect(chunks[2].choices[0].finish_reason).toBe("length");
  });

  test("keeps a line beyond its eight slots, and says so in its metrics", async () => {
    const url = `${urlOf("h100")}/v1/chat/completions`;
    const pending = Array.from({ length: 10 }, () => post(url, hello));
    await untilGauge("h100", "num_requests_waiting", 2);
    expect(await gauge("h100", "num_requests_running")).toBe(8);
    clock.advance(60_000);
    for (const response of await Promise.all(pending)) expect(response.status).toBe(200);
    expect(await gauge("h100", "num_requests_running")).toBe(0);
  });

  test("shows load in the telemetry of the GPU that has it", async () => {
    const url = `${urlOf("h100")}/v1/chat/completions`;
    const long = { ...hello, ignore_eos: true, max_tokens: 4096 };
    const pending = post(url, long).catch(() => null);
    await untilGauge("h100", "num_requests_running", 1);
    clock.advance(10_000);
    expect(await gpuOf("h100")).toMatchObject({ status: "busy", utilization: 0.124 });
    expect(await gpuOf("a100")).toMatchObject({ status: "available", utilization: 0 });
    await fleet.close();
    await pending;
  });

  test.each([{ stream: false }, { stream: true }])(
    "stops at once when the client goes away (%j)",
    async (mode) => {
      const client = new AbortController();
      const url = `${urlOf("h100")}/v1/chat/completions`;
      const pending = post(url, { ...hello, ...mode }, client.signal).catch((e: unknown) => e);
      await untilGauge("h100", "num_requests_running", 1);
      clock.advance(25);
      client.abort();
      await untilGauge("h100", "num_requests_running", 0);
      expect(clock.pendingTimers).toBe(0);
      await pending;
    },
  );

  test("closes with answers under way and leaves no timer", async () => {
    const pending = post(`${urlOf("h100")}/v1/chat/completions`, hello).catch(() => "cut");
    await untilGauge("h100", "num_requests_running", 1);
    await fleet.close();
    expect(await pending).toBe("cut");
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a demo worker refuses in OpenAI's form", () => {
  const cases: readonly { what: string; body: unknown; status: number; message: string }[] = [
    { what: "an unknown model", body: { ...hello, model: "x" }, status: 404, message: "`x` does" },
    {
      what: "a model that it lacks",
      body: { ...hello, model: "demo-large" },
      status: 404,
      message: "does not exist",
    },
    {
      what: "a chat with an embeddings model",
      body: { ...hello, model: "demo-embed" },
      status: 400,
      message: "for embedding only",
    },
    { what: "no model", body: { messages: hello.messages }, status: 400, message: "model must" },
    { what: "broken JSON", body: '{"model": ', status: 400, message: "not valid JSON" },
    { what: "JSON that is no object", body: "[]", status: 400, message: "must be a JSON object" },
  ];

  test.each(cases)("$what", async ({ body, status, message }) => {
    const response = await post(`${urlOf("l40s")}/v1/chat/completions`, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({
      error: {
        message: expect.stringContaining(message),
        type: status === 404 ? "NotFoundError" : "BadRequestError",
        param: message.includes("JSON") ? null : "model",
        code: status,
      },
    });
  });

  test("a body beyond its limit, after reading it to its end", async () => {
    const body = " ".repeat(32 * 2 ** 20 + 1);
    expect((await post(`${urlOf("l40s")}/v1/chat/completions`, body)).status).toBe(413);
  });

  test("an unknown path", async () => {
    expect((await fetch(`${urlOf("l40s")}/v1/images`)).status).toBe(404);
    expect((await fetch(`${urlOf("l40s")}/health`)).status).toBe(200);
  });
});

describe("the demo's monitoring service", () => {
  test("answers health by GPU, and 404 for others", async () => {
    const health = await fetch(`${fleet.monitoringUrl}/gpus/gpu-h100/health`);
    expect(await health.json()).toEqual({ gpu_id: "gpu-h100", status: "healthy", errors: [] });
    expect((await fetch(`${fleet.monitoringUrl}/gpus/gpu-9/health`)).status).toBe(404);
    expect((await fetch(`${fleet.monitoringUrl}/`)).status).toBe(404);
  });
});

describe("the demo's keys", () => {
  test("are well known only where the router listens on loopback", async () => {
    expect(fleet.keys).toEqual([
      { id: "demo", user: "demo", role: "admin", key: "demo" },
      { id: "demo-limited", user: "limited", role: "user", key: "demo-limited" },
    ]);
    let made = 0;
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.example"]) {
      const open = await startDemoFleet({ clock, host, makeKey: () => `random-${++made}` });
      await open.close();
      expect(open.keys.map(({ key }) => key)).toEqual([`random-${made - 1}`, `random-${made}`]);
    }
  });
});
