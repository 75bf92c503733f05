import { expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { chatChunk, error, respond, steppedStream, stream } from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";

const UUID = "3f2b8c1e-7a4d-4b6e-9f10-2c5d8e7a6b90";
const ODD_BODY =
  '{ "x_unknown" :\t[1.0, 1e2, "\\u00e9é日本🚀"],\r\n"model":"stub-model" , "n":1\n}\n';

test("a JSON chat passes byte for byte in both directions", async () => {
  const { router, stub } = await openScene();
  const answer = ' \n{"text":"\\u00e9é日本🚀", "odd" : [1.0, 1e2] }\r\n';
  const contentType = "application/json; charset=UTF-8; x=1";
  stub.next(respond({ status: 200, body: answer, headers: { "content-type": contentType } }));
  const live = sendLive(router, { body: ODD_BODY });
  expect(await live.text()).toBe(answer);
  const { headers } = await live.head();
  expect(headers["content-type"]).toBe(contentType);
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(answer)));
  expect(stub.requests[0]).toMatchObject({ path: "/v1/chat/completions", body: ODD_BODY });
});

/** Beside the 2 bytes of `{}`: short answers leave as one with their head. */
test.each([0, 256, 8 * 1024 - 2, 8 * 1024 - 1, 300_000])(
  "an answer with %i bytes of every value passes byte for byte",
  async (length) => {
    const values = Buffer.from(Uint8Array.from({ length }, (_, i) => i % 256));
    const answer = Buffer.concat([Buffer.from("{"), values, Buffer.from("}")]);
    const { router, stub } = await openScene();
    stub.next(({ response }) => {
      response.writeHead(200, { "content-type": "application/json" }).end(answer);
    });
    expect((await sendLive(router).bytes()).equals(answer)).toBe(true);
  },
);

test("the events of a stream arrive one by one, as the worker sends them", async () => {
  const { router, stub } = await openScene();
  stub.next(steppedStream(3));
  const live = sendLive(router, { body: STREAMED_CHAT });
  for (let index = 0; index < 3; index++) {
    stub.stream.step();
    expect(await live.nextChunk()).toBe(chatChunk(index));
  }
  stub.stream.step();
  expect(await live.text()).toMatch(/token2.*"usage".*data: \[DONE\]\n\n$/s);
  expect((await live.head()).headers["content-type"]).toBe("text/event-stream");
});

test("a stream in pieces of one byte, through characters and line ends, comes out whole", async () => {
  const text = 'data: {"delta":"é日🚀"}\r\n\r\ndata: [DONE]\n\n';
  const bytewise: Behaviour = async ({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    for (const byte of Buffer.from(text)) {
      await new Promise<void>((resolve) => response.write(Buffer.of(byte), () => resolve()));
    }
    response.end();
  };
  const { router } = await openScene({ behaviour: bytewise });
  expect(await sendLive(router, { body: STREAMED_CHAT }).text()).toBe(text);
});

test("an alias is the worker's own name where the worker reads it, and nothing else changes", async () => {
  const models = [{ name: 'org/"real" é', as: "stub-model" }];
  const { router, stub } = await openScene({ worker: { models } });
  await sendLive(router, { body: ODD_BODY }).text();
  expect(stub.requests[0]?.body).toBe(ODD_BODY.replace('"stub-model"', '"org/\\"real\\" é"'));
});

test("the worker gets its own key and the request's id, and no header of the client's", async () => {
  const worker = { api_key_env: "WORKER_KEY" };
  const { router, stub } = await openScene({ worker, env: { WORKER_KEY: "sk-worker" } });
  const headers = {
    "x-request-id": UUID,
    "x-priority": "5",
    "x-forwarded-for": "10.1.2.3",
    cookie: "session=secret",
    "user-agent": "canary",
    accept: "text/html",
  };
  await sendLive(router, { headers }).text();
  expect(stub.requests[0]?.headers).toEqual({
    host: new URL(stub.url).host,
    connection: "keep-alive",
    "accept-encoding": "identity",
    "content-type": "application/json",
    accept: "application/json",
    "x-request-id": UUID,
    authorization: "Bearer sk-worker",
    "content-length": String(JSON.stringify(CHAT).length),
  });
});

test("a worker without a key gets none, and no id that it might refuse", async () => {
  const { router, stub } = await openScene();
  await sendLive(router, { headers: { "x-request-id": "trace-1" } }).text();
  expect(stub.requests[0]?.headers).not.toHaveProperty("authorization");
  expect(stub.requests[0]?.headers).not.toHaveProperty("x-request-id");
});

test.each([
  ["an answer", { status: 200, body: "{}" }],
  ["a refusal", { status: 400, body: '{"error":{}}' }],
])("of the headers of %s, only the content type passes", async (_case, fixed) => {
  const headers = {
    "set-cookie": "a=b",
    connection: "close, x-hop",
    "x-hop": "1",
    server: "uvicorn",
    "proxy-authenticate": "Basic",
    "x-request-id": "the-worker's",
    "x-worker-id": "forged",
    "x-ratelimit-limit-tokens": "forged",
  };
  const { router } = await openScene({ behaviour: respond({ ...fixed, headers }) });
  const live = sendLive(router, { headers: { "x-request-id": "mine" } });
  await live.text();
  expect(Object.keys((await live.head()).headers).toSorted()).toEqual([
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "x-content-type-options",
    "x-gpu-id",
    "x-queue-ms",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-request-id",
    "x-route-attempts",
    "x-worker-id",
  ]);
  expect((await live.head()).headers).toMatchObject({
    "x-request-id": "mine",
    "x-worker-id": "worker-1",
  });
});

test.each<[string, Behaviour, object, number]>([
  ["a JSON answer", respond({ status: 200, body: "{}" }), CHAT, 200],
  ["a stream", stream(), STREAMED_CHAT, 200],
  ["a worker's refusal", error(422, "too long"), CHAT, 422],
  ["our own error", error(401, "bad key"), CHAT, 502],
])("%s tells its way in the headers", async (...row) => {
  const [, behaviour, body, status] = row;
  const worker = { gpus: ["GPU-7", "GPU-8"] };
  const { router } = await openScene({ behaviour, worker });
  const live = sendLive(router, { body, headers: { "x-request-id": "trace-1" } });
  await live.text();
  const { statusCode, headers } = await live.head();
  expect(statusCode).toBe(status);
  expect(headers).toMatchObject({
    "x-request-id": "trace-1",
    "x-worker-id": "worker-1",
    "x-gpu-id": "GPU-7",
    "x-route-attempts": "1",
    "x-queue-ms": "0",
  });
});

test("a worker under a base path is asked under that path", async () => {
  const { router, stub } = await openScene({
    basePath: "/llm",
    worker: { models: ["stub-model"] },
  });
  await sendLive(router).text();
  expect(stub.requests[0]?.path).toBe("/llm/v1/chat/completions");
});

test("stream: true means nothing where the API does not stream", async () => {
  const { router, stub } = await openScene();
  const body = { model: "stub-model", input: "x", stream: true };
  const live = sendLive(router, { path: "/v1/embeddings", body });
  expect(await live.text()).toContain("chatcmpl-stub");
  expect(stub.requests[0]).toMatchObject({
    headers: { accept: "application/json" },
    body: JSON.stringify(body),
  });
});

test("a body of megabytes passes whole in both directions", async () => {
  const echo: Behaviour = ({ request, response }) => {
    response.writeHead(200, { "content-type": "application/json" }).end(request.body);
  };
  const { router } = await openScene({ behaviour: echo });
  const body = JSON.stringify({ ...CHAT, input: "日".repeat(2_000_000) });
  expect(await sendLive(router, { body }).text()).toBe(body);
});

test("a body over the limit is refused with the setting's name, and reaches no worker", async () => {
  const { router, stub } = await openScene({ config: { api: { body_limit_mb: 0.001 } } });
  const answer = await router.post("/v1/chat/completions", { ...CHAT, x: "x".repeat(2000) });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({
    error: { code: "BODY_TOO_LARGE", message: expect.stringContaining("api.body_limit_mb") },
  });
  expect(stub.requests).toHaveLength(0);
});

test.each(["application/json", "text/plain"])(
  "an empty body of type %s is asked for",
  async (type) => {
    const { router, stub } = await openScene();
    const live = sendLive(router, { body: "", headers: { "content-type": type } });
    expect((await live.head()).statusCode).toBe(400);
    expect(JSON.parse(await live.text())).toMatchObject({
      error: { code: "INVALID_REQUEST", message: "a JSON body is required" },
    });
    expect(stub.requests).toHaveLength(0);
  },
);
