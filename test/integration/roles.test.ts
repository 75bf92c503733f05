import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROLES } from "../../src/http/keys.ts";
import type { Role } from "../../src/http/keys.ts";
import { loadApi, operationsOf } from "../support/api-document.ts";
import { startStubWorker } from "../support/stub-worker.ts";
import type { StubWorker } from "../support/stub-worker.ts";
import { startTestRouter } from "../support/test-router.ts";
import type { TestRouter } from "../support/test-router.ts";

interface Expectation {
  /** What a caller gets who may use the route. */
  readonly admitted: number;
  readonly open?: true;
  /** The roles that may; all of them if left out. */
  readonly roles?: readonly Role[];
}

const noSuch: Expectation = { admitted: 404 };
const forEveryKey: Expectation = { admitted: 200 };
const forEveryone: Expectation = { admitted: 200, open: true };

/** Every route of the router: one that is added must say here whom it lets in. */
const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  "GET /health": forEveryone,
  "GET /health/ready": forEveryone,
  "GET /health/live": forEveryone,
  "POST /api/v1/route": forEveryKey,
  "POST /api/v1/route/batch": forEveryKey,
  "POST /api/v1/route/explain": forEveryKey,
  "GET /api/v1/requests": forEveryKey,
  "GET /api/v1/requests/{request_id}": noSuch,
  "GET /api/v1/requests/{request_id}/events": noSuch,
  "POST /api/v1/requests/{request_id}/complete": noSuch,
  "DELETE /api/v1/requests/{request_id}": noSuch,
  "GET /api/v1/quotas": forEveryKey,
  "GET /api/v1/quotas/{user_id}": { admitted: 200, roles: ["service", "operator", "admin"] },
  "PUT /api/v1/quotas/{user_id}": { admitted: 200, roles: ["admin"] },
  "DELETE /api/v1/quotas/{user_id}": { admitted: 200, roles: ["admin"] },
  "GET /api/v1/gpus": forEveryKey,
  "GET /api/v1/gpus/{gpu_id}": noSuch,
  "DELETE /api/v1/gpus/{gpu_id}/cooldown": { admitted: 404, roles: ["operator", "admin"] },
  "POST /api/v1/gpus/{gpu_id}/maintenance": { admitted: 404, roles: ["operator", "admin"] },
  "GET /api/v1/metrics": { admitted: 200, roles: ["operator", "admin"] },
  "POST /v1/chat/completions": forEveryKey,
  "POST /v1/completions": forEveryKey,
  "POST /v1/embeddings": forEveryKey,
  "POST /v1/responses": forEveryKey,
  "POST /v1/messages": forEveryKey,
  "POST /v1/rerank": forEveryKey,
  "GET /v1/models": forEveryKey,
  "GET /v1/models/{model}": noSuch,
};

const JOB = { model_id: "stub-model", payload: { messages: [] } };
/** By the beginning of the path; the first that fits. */
const BODIES: readonly (readonly [path: string, body: object])[] = [
  ["/v1/", { model: "stub-model" }],
  ["/api/v1/route/batch", { requests: [JOB] }],
  ["/api/v1/quotas", { gpu_limit: 3 }],
  ["/api/v1/requests", { ok: true }],
  ["/api/v1/gpus", { enabled: true }],
  ["/", JOB],
];

let stub: StubWorker;
let router: TestRouter;

beforeAll(async () => {
  stub = await startStubWorker();
  // So that each call can come from an address of its own, and none is throttled.
  const network = { trusted_proxies: ["127.0.0.1"] };
  router = await startTestRouter({ workers: [stub], config: { network } });
});

afterAll(async () => {
  await router.close();
  await stub.close();
});

let calls = 0;

async function statusOf(operation: string, key: string | null): Promise<number> {
  const [method = "", template = ""] = operation.split(" ");
  const hasBody = method === "POST" || method === "PUT";
  const path = template.replaceAll(/\{\w+\}/g, "no-such");
  calls += 1;
  const headers = {
    "x-forwarded-for": `10.0.${calls >> 8}.${calls & 255}`,
    ...(key !== null && { authorization: `Bearer ${key}` }),
    ...(hasBody && { "content-type": "application/json" }),
  };
  const body = JSON.stringify(BODIES.find(([start]) => path.startsWith(start))?.[1]);
  const init = hasBody ? { method, headers, body } : { method, headers };
  return (await fetch(router.url + path, init)).status;
}

test("every operation of the API has an expectation here, and nothing else has", async () => {
  const { document } = await loadApi();
  const operations = operationsOf(document).map(([name]) => name);
  expect(Object.keys(EXPECTATIONS).toSorted()).toEqual(operations.toSorted());
});

describe.each(Object.entries(EXPECTATIONS))("%s", (operation, expectation) => {
  const { admitted, open = false, roles = ROLES } = expectation;

  test.each(ROLES)("with a key of the role %s", async (role) => {
    const expected = roles.includes(role) ? admitted : 403;
    expect(await statusOf(operation, router.keys[role])).toBe(expected);
  });

  test("without a key", async () => {
    expect(await statusOf(operation, null)).toBe(open ? admitted : 401);
  });

  test("with a key that nobody made", async () => {
    expect(await statusOf(operation, "no-key-of-ours")).toBe(open ? admitted : 401);
  });
});

describe.each(["GET /docs", "GET /docs/json", "GET /docs/yaml", "GET /docs/static/index.html"])(
  "%s",
  (operation) => {
    test("is for everyone", async () => {
      expect(await statusOf(operation, null)).toBe(200);
    });
  },
);

test("a path that does not exist tells nobody whether it has a key", async () => {
  const statuses = [null, "no-key-of-ours", router.keys.admin].map((key) =>
    statusOf("GET /api/v1/nothing", key),
  );
  expect(await Promise.all(statuses)).toEqual([404, 404, 404]);
});
