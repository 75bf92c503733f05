import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import type { Trouble } from "../../support/expect-trouble.ts";
import {
  cancelJob,
  overJob,
  PAYLOAD,
  readJob,
  submit,
  submitBatch,
} from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import type { Scene, SceneOptions } from "../../support/router-scene.ts";
import { hangBeforeHeaders } from "../../support/stub-behaviours.ts";

/** Nothing of it may have started, be kept, or be counted. */
async function expectNothing({ router, stub }: Scene, requests = 0): Promise<void> {
  expect(await router.runningJobs()).toBe(requests);
  expect(stub.requests).toHaveLength(requests);
  expect((await readJob(router, "good")).status).toBe(404);
}

interface Refusal extends Trouble {
  readonly what: string;
  readonly items?: readonly object[];
  readonly changes?: Readonly<Record<string, unknown>>;
  readonly scene?: SceneOptions;
}

const good = { request_id: "good" };

const refusals: readonly Refusal[] = [
  {
    what: "no requests",
    items: [],
    code: "INVALID_REQUEST",
    says: /^requests is not valid: .*>=1 items/,
    param: "requests",
  },
  {
    what: "more than 1000 requests",
    items: Array.from({ length: 1001 }, () => ({})),
    code: "INVALID_REQUEST",
    says: /^requests is not valid: .*<=1000 items/,
    param: "requests",
  },
  {
    what: "a bad field of one request",
    items: [good, good, good, { priority: 6 }],
    code: "INVALID_REQUEST",
    says: /^requests\[3\]\.priority is not valid/,
    param: "requests[3].priority",
  },
  {
    what: "a user_id of one request",
    items: [good, { user_id: "ann" }],
    code: "INVALID_REQUEST",
    says: /^unknown field: requests\[1\]\.user_id/,
    param: "requests[1].user_id",
  },
  {
    what: "a callback_url of one request",
    items: [{ callback_url: "https://example.org/done" }],
    code: "INVALID_REQUEST",
    says: /^unknown field: requests\[0\]\.callback_url/,
    param: "requests[0].callback_url",
  },
  {
    what: "an unknown field of the batch",
    changes: { priority: 3 },
    code: "INVALID_REQUEST",
    says: /^unknown field: priority/,
    param: "priority",
  },
  {
    what: "a batch_id that would not fit into a URL",
    changes: { batch_id: "a/b" },
    code: "INVALID_REQUEST",
    says: /^batch_id is not valid/,
    param: "batch_id",
  },
  {
    what: "a payload that streams",
    items: [good, { payload: { ...PAYLOAD, stream: true } }],
    code: "INVALID_REQUEST",
    says: /^requests\[1\]: a job's payload cannot stream/,
    param: "requests[1].payload.stream",
  },
  {
    what: "a timeout above max_timeout",
    items: [good],
    changes: { timeout: 61_000 },
    scene: { config: { request_router: { max_timeout: 60 } } },
    code: "INVALID_REQUEST",
    says: /^requests\[0\]: timeout must be at most 60000 ms/,
    param: "requests[0].timeout",
  },
  {
    what: "a priority above the user's limit",
    items: [good, { priority: 5 }],
    scene: { config: { users: [{ id: "user", priority_limit: 4 }] } },
    code: "PRIORITY_LIMIT_EXCEEDED",
    says: /^requests\[1\]: priority 5 is above/,
    param: "requests[1].priority",
  },
  {
    what: "a user that the key may not act for",
    changes: { user_id: "ann" },
    code: "USER_MISMATCH",
    says: /belongs to user/,
    param: "user_id",
  },
  {
    what: "a callback_url of a user without a secret",
    changes: { callback_url: "https://example.org/done" },
    code: "INVALID_REQUEST",
    says: /^callback_url needs a signing secret/,
    param: "callback_url",
  },
  {
    what: "a request_id that is in it twice",
    items: [good, { request_id: "twin" }, { request_id: "twin" }],
    code: "REQUEST_ID_TAKEN",
    says: /^requests\[2\]: the request_id twin is in this batch twice/,
    param: "requests[2].request_id",
  },
  {
    what: "a model that nobody serves",
    items: [good, { model_id: "gpt-9" }],
    code: "MODEL_NOT_FOUND",
    says: /^requests\[1\]: no worker serves the model gpt-9/,
    param: "requests[1].model_id",
  },
  {
    what: "needs that no worker could ever meet",
    items: [good, { resource_requirements: { compute_units: 64 } }],
    code: "NO_GPU_FITS",
    says: /^requests\[1\]: no worker can ever run this/,
    param: "requests[1]",
  },
  {
    what: "more requests than the user may ever send in one window",
    items: [good, {}, {}],
    scene: { config: { users: [{ id: "user", request_limit: 2 }] } },
    code: "INVALID_REQUEST",
    says: /request_limit of 2: split it/,
    param: "requests",
  },
  {
    what: "more requests than one user may ever have waiting",
    items: [good, {}, {}],
    scene: { config: { queue: { max_requests: 2, user_share: 1 } } },
    code: "INVALID_REQUEST",
    says: /at most 2 with .* of one user may \(queue\.user_share\); split it/,
    param: "requests",
  },
];

describe("a whole batch is refused, and nothing of it starts, for", () => {
  test.each(refusals)("$what", async ({ items = [good], changes, scene, ...trouble }) => {
    const open = await openScene(scene);
    const { code, says, param } = trouble;
    const answer = await submitBatch(open.router, items, changes);
    await expectTrouble(answer, { code, says, ...(param !== undefined && { param }) });
    await expectNothing(open);
  });

  test("a request_id that one of the user's jobs has", async () => {
    const open = await openScene({ behaviour: hangBeforeHeaders });
    await submit(open.router, { request_id: "taken" });
    await expectTrouble(await submitBatch(open.router, [good, { request_id: "taken" }]), {
      code: "REQUEST_ID_TAKEN",
      says: /^requests\[1\]: you already have a job with the request_id taken/,
      param: "requests[1].request_id",
    });
    await expectNothing(open, 1);
    await cancelJob(open.router, "taken");
  });

  test("a quota that is too small for all of it: none of it is counted", async () => {
    const open = await openScene({ config: { users: [{ id: "user", request_limit: 2 }] } });
    const { router } = open;
    await submit(router, { request_id: "first" });
    await overJob(router, "first");
    await expectTrouble(await submitBatch(router, [good, {}]), {
      code: "QUOTA_EXCEEDED",
      says: /^user has used 1 of request_limit 2/,
      param: "request_limit",
    });
    expect((await readJob(router, "good")).status).toBe(404);
    expect((await submit(router, { request_id: "second" })).status).toBe(200);
    await overJob(router, "second");
    expect((await submit(router)).status).toBe(429);
  });
});

test("each item of a batch counts in the quota", async () => {
  const { router } = await openScene({ config: { users: [{ id: "user", request_limit: 3 }] } });
  const items = ["a", "b"].map((request_id) => ({ request_id }));
  const answer = await submitBatch(router, items);
  expect(answer.headers.get("x-ratelimit-remaining-requests")).toBe("1");
  await Promise.all([overJob(router, "a"), overJob(router, "b")]);
  expect((await submitBatch(router, [{}, {}])).status).toBe(429);
});
