import OpenAI from "openai";
import { expect, test } from "vitest";
import { expectRefusal, get, hello, key, model, post, url } from "./call.ts";

interface Model {
  readonly id: string;
}

test("the models are listed, and each can be looked up", async () => {
  const { data } = (await (await get("/v1/models")).json()) as { readonly data: readonly Model[] };
  expect(data.map(({ id }) => id)).toContain(model);
  const one = await get(`/v1/models/${encodeURIComponent(model)}`);
  expect(await one.json()).toMatchObject({ id: model, object: "model" });
});

test("a chat is answered, and its headers tell its way", async () => {
  const answer = await post("/v1/chat/completions", hello);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { role: "assistant" } }],
  });
  for (const header of ["x-request-id", "x-worker-id", "x-gpu-id"]) {
    expect(answer.headers.get(header)).toMatch(/./);
  }
  for (const header of ["x-route-attempts", "x-ratelimit-limit-requests"]) {
    expect(Number(answer.headers.get(header))).toBeGreaterThan(0);
  }
  expect(Number(answer.headers.get("x-queue-ms"))).toBeGreaterThanOrEqual(0);
});

test("a stream comes as events, and says when it is done", async () => {
  const answer = await post("/v1/chat/completions", { ...hello, stream: true });
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const events = (await answer.text()).split("\n\n").filter((event) => event.startsWith("data: "));
  expect(events.length).toBeGreaterThan(1);
  expect(events.at(-1)).toBe("data: [DONE]");
});

test("the official openai client works with nothing but its base URL changed", async () => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
  const whole = await client.chat.completions.create(hello);
  expect(whole.choices[0]?.message.role).toBe("assistant");
  const stream = await client.chat.completions.create({ ...hello, stream: true });
  let chunks = 0;
  for await (const { object } of stream) {
    expect(object).toBe("chat.completion.chunk");
    chunks++;
  }
  expect(chunks).toBeGreaterThan(0);
});

test("a client that leaves a stream leaves the router well", async () => {
  const leaving = new AbortController();
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ ...hello, stream: true }),
    signal: leaving.signal,
  });
  expect(answer.status).toBe(200);
  leaving.abort();
  expect((await post("/v1/chat/completions", hello)).status).toBe(200);
});

test("a timeout that the client chooses is taken, or refused by name", async () => {
  const served = await post("/v1/chat/completions", hello, { "x-timeout-ms": "100000" });
  expect(served.status).toBe(200);
  const refused = await post("/v1/chat/completions", hello, { "x-timeout-ms": "soon" });
  await expectRefusal(refused, 400, "INVALID_REQUEST");
});
