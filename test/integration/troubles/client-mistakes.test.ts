import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateKey } from "../../../src/http/keys.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import type { Trouble } from "../../support/expect-trouble.ts";
import { hangBeforeHeaders, json } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

const CHAT = "/v1/chat/completions";
const ROUTE = "/api/v1/route";
const chat = { model: "stub-model", messages: [{ role: "user", content: "Hello" }] };
const mistypedKey = `${generateKey().key.slice(0, -1)}x`;

describe("a client's mistake is answered with the table's code and what to do", () => {
  let stub: StubWorker;
  let router: TestRouter;

  beforeAll(async () => {
    stub = await startStubWorker();
    router = await startTestRouter({ workers: [stub], config: { api: { body_limit_mb: 1 } } });
  });

  afterAll(async () => {
    await router.close();
    await stub.close();
  });

  const post = (body: unknown, headers?: Record<string, string>, path = CHAT) =>
    router.post(path, body, headers);
  const withKey = (authorization: string) => post(chat, { authorization });

  const cases: readonly (Trouble & { what: string; send: () => Promise<Response> })[] = [
    {
      what: "no key",
      send: () => fetch(router.url + CHAT, { method: "POST" }),
      code: "UNAUTHORIZED",
      says: /^no API key: send `Authorization: Bearer <key>`/,
    },
    {
      what: "an unknown key",
      send: () => withKey("Bearer nobody-has-this"),
      code: "UNAUTHORIZED",
      says: /unknown or revoked API key: ask an operator for one \(npm run key\)/,
    },
    {
      what: "a mistyped key",
      send: () => withKey(`Bearer ${mistypedKey}`),
      code: "UNAUTHORIZED",
      says: /mistyped.* copy it again/,
    },
    {
      what: "a key in another form",
      send: () => withKey("Basic dXNlcjpwYXNz"),
      code: "UNAUTHORIZED",
      says: /must have the form `Authorization: Bearer <key>`/,
    },
    {
      what: "a route for operators",
      send: () => router.get("/api/v1/metrics", { accept: "text/plain" }),
      code: "FORBIDDEN",
      says: /needs the role operator or admin; Accept: application\/json shows your own figures/,
    },
    {
      what: "a body that is not JSON",
      send: () => post('{"model": '),
      code: "INVALID_REQUEST",
      says: /^the body is not valid JSON: /,
    },
    {
      what: "a body that is no object",
      send: () => post([chat]),
      code: "INVALID_REQUEST",
      says: /must be a JSON object/,
    },
    {
      what: "a body without a model",
      send: () => post({ messages: [] }),
      code: "INVALID_REQUEST",
      says: /^model must be a string .*: it is missing/,
      param: "model",
    },
    {
      what: "no body where one is needed",
      send: () => {
        const authorization = `Bearer ${router.keys.user}`;
        return fetch(router.url + ROUTE, { method: "POST", headers: { authorization } });
      },
      code: "INVALID_REQUEST",
      says: /^the body is missing: send a JSON object with `Content-Type: application\/json`$/,
      param: "body",
    },
    {
      what: "an unknown field in a job",
      send: () => post({ model_id: "stub-model", payload: chat, prio: 5 }, {}, ROUTE),
      code: "INVALID_REQUEST",
      says: /^unknown field: prio; \/docs lists/,
      param: "prio",
    },
    {
      what: "a timeout that is no number",
      send: () => post(chat, { "x-timeout-ms": "soon" }),
      code: "INVALID_REQUEST",
      says: /must be a whole number from 1 to 86400000 \(request_router\.max_timeout\)/,
      param: "x-timeout-ms",
    },
    {
      what: "another content type",
      send: () => post(chat, { "content-type": "text/plain" }),
      code: "UNSUPPORTED_MEDIA_TYPE",
      says: /`Content-Type: application\/json`/,
    },
    {
      what: "a body that is too large",
      send: () => post({ ...chat, padding: "x".repeat(2 ** 20) }),
      code: "BODY_TOO_LARGE",
      says: /api\.body_limit_mb is 1/,
    },
    {
      what: "an unknown model",
      send: () => post({ ...chat, model: "gpt-9" }),
      code: "MODEL_NOT_FOUND",
      says: /^no worker serves the model gpt-9; served: stub-model$/,
      param: "model",
    },
    {
      what: "an unknown model in a job",
      send: () => post({ model_id: "gpt-9", payload: { messages: [] } }, {}, ROUTE),
      code: "MODEL_NOT_FOUND",
      says: /^no worker serves the model gpt-9; served: stub-model$/,
      param: "model_id",
    },
    {
      what: "an unknown route",
      send: () => router.get("/v1/chats"),
      code: "ROUTE_NOT_FOUND",
      says: /\/docs lists all of them/,
    },
    {
      what: "the wrong method",
      send: () => router.get(CHAT),
      code: "ROUTE_NOT_FOUND",
      says: /use POST/,
    },
    {
      what: "an answer that takes too long",
      send: () => {
        stub.always(hangBeforeHeaders);
        return post(chat, { "x-timeout-ms": "50" }).finally(() => stub.always(json()));
      },
      code: "DEADLINE_EXCEEDED",
      says: /stream, send x-timeout-ms, or raise request_router\.request_timeout/,
    },
  ];

  test.each(cases)("$what", async ({ send, ...expected }) => {
    await expectTrouble(await send(), expected);
  });

  test("and after all of them a good request is answered", async () => {
    expect((await post(chat)).status).toBe(200);
  });
});
