import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import type { Trouble } from "../../support/expect-trouble.ts";
import { PAYLOAD, submit } from "../../support/job-api.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

let stub: StubWorker;
let router: TestRouter;

beforeAll(async () => {
  stub = await startStubWorker();
  router = await startTestRouter({
    workers: [stub],
    config: { request_router: { max_timeout: 60 } },
  });
});

afterAll(async () => {
  await router.close();
  await stub.close();
});

interface Refusal extends Omit<Trouble, "code"> {
  readonly what: string;
  readonly changes?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

const refusals: readonly Refusal[] = [
  {
    what: "an unknown field",
    changes: { prio: 4 },
    says: /^unknown field: prio/,
    param: "prio",
  },
  {
    what: "an unknown field inside another",
    changes: { resource_requirements: { memory_mb: 4 } },
    says: /^unknown field: resource_requirements\.memory_mb/,
    param: "resource_requirements.memory_mb",
  },
  {
    what: "a missing model",
    changes: { model_id: undefined },
    says: /^model_id is missing: send a value of type string/,
    param: "model_id",
  },
  {
    what: "a wrong type",
    changes: { priority: "high" },
    says: /^priority has the wrong type: expected number, received string/,
    param: "priority",
  },
  {
    what: "a wrong type inside another field",
    changes: { resource_requirements: { memory: "4 GB" } },
    says: /^resource_requirements\.memory has the wrong type: expected number, received string/,
    param: "resource_requirements.memory",
  },
  {
    what: "a priority above 5",
    changes: { priority: 6 },
    says: /^priority is not valid: .*<=5/,
    param: "priority",
  },
  {
    what: "a type that nobody knows",
    changes: { type: "dreaming" },
    says: /^type is not valid: .*"inference"\|"training"/,
    param: "type",
  },
  {
    what: "a request_id that would not fit into a URL",
    changes: { request_id: "a/b" },
    says: /^request_id is not valid: must be 1 to 64 letters/,
    param: "request_id",
  },
  {
    what: "a timeout above max_timeout",
    changes: { timeout: 60_001 },
    says: /^timeout must be at most 60000 ms \(request_router\.max_timeout\)/,
    param: "timeout",
  },
  {
    what: "a payload for another model",
    changes: { payload: { ...PAYLOAD, model: "other" } },
    says: /^payload\.model must be model_id, or be left out/,
    param: "payload.model",
  },
  {
    what: "a payload that streams",
    changes: { payload: { ...PAYLOAD, stream: true } },
    says: /^a job's payload cannot stream: .* call \/v1 directly/,
    param: "payload.stream",
  },
  {
    what: "a payload of no known shape",
    changes: { payload: { text: "Hello" } },
    says: /^payload must have messages, prompt or input; or name the path/,
    param: "payload",
  },
  {
    what: "a payload that is no object",
    changes: { payload: "Hello" },
    says: /^payload has the wrong type: expected object, received string/,
    param: "payload",
  },
  {
    what: "a path that no engine serves",
    changes: { path: "/v1/audio/speech" },
    says: /^path is not valid: .*"\/v1\/chat\/completions"/,
    param: "path",
  },
  {
    what: "a callback_url of a user without a secret",
    changes: { callback_url: "https://example.org/done" },
    says: /^callback_url needs a signing secret for the user user: .* callbacks\.secrets\.user/,
    param: "callback_url",
  },
  {
    what: "a queue_timeout of nothing",
    changes: { queue_timeout: 0 },
    says: /^queue_timeout is not valid: .*>=1/,
    param: "queue_timeout",
  },
  {
    what: "a queue_timeout above 30 days",
    changes: { queue_timeout: 30 * 86_400_000 + 1 },
    says: /^queue_timeout is not valid: .*<=2592000000/,
    param: "queue_timeout",
  },
  ...["", "a".repeat(256), "a\tb", "\u00e4"].map((key) => ({
    what: `an Idempotency-Key of ${key.length} characters: ${JSON.stringify(key.slice(0, 4))}`,
    headers: { "idempotency-key": key },
    says: /^idempotency-key is not valid: must be 1 to 255 printable ASCII characters/,
    param: "idempotency-key",
  })),
];

describe("a submission is refused, with the field and what is allowed, for", () => {
  test.each(refusals)("$what", async ({ changes, headers, says, param }) => {
    const answer = await submit(router, changes, headers);
    await expectTrouble(answer, { code: "INVALID_REQUEST", says, ...(param && { param }) });
    expect(stub.requests).toHaveLength(0);
  });
});

describe("a submission goes to", () => {
  const shapes = [
    ["/v1/chat/completions", { messages: [] }],
    ["/v1/completions", { prompt: "A GPU is" }],
    ["/v1/embeddings", { input: "A GPU" }],
  ] as const;

  test.each(shapes)("%s by the shape of its payload", async (path, payload) => {
    await submit(router, { payload }, { prefer: "wait=20" });
    expect(stub.requests.at(-1)?.path).toBe(path);
  });

  test("the path that it names", async () => {
    const changes = { path: "/v1/rerank", payload: { query: "GPU", documents: [] } };
    await submit(router, changes, { prefer: "wait=20" });
    expect(stub.requests.at(-1)?.path).toBe("/v1/rerank");
  });

  test("the path that it names rather than the one of its shape", async () => {
    await submit(router, { path: "/v1/messages" }, { prefer: "wait=20" });
    expect(stub.requests.at(-1)?.path).toBe("/v1/messages");
  });
});
