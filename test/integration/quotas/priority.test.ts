import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, overJob, submit, submittedId } from "../../support/job-api.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";

const chat = "/v1/chat/completions";
const users = [
  { id: "user", priority_limit: 2 },
  { id: "service", priority_limit: 5 },
];
const config = { users };

describe("a priority above the user's limit is refused, naming the limit", () => {
  test("in the header of a /v1 request", async () => {
    const { router, stub } = await openScene({ config });
    const answer = await router.post(chat, CHAT, { "x-priority": "3" });
    await expectTrouble(answer, {
      code: "PRIORITY_LIMIT_EXCEEDED",
      param: "x-priority",
      says: /^x-priority 3 is above this user's priority_limit of 2: ask for 2 or less/,
    });
    expect(stub.requests).toEqual([]);
  });

  test("in a job, and in the question where it would go", async () => {
    const { router } = await openScene({ config });
    const envelope = { model_id: "stub-model", priority: 4, payload: { prompt: "a" } };
    for (const path of ["/api/v1/route", "/api/v1/route/explain"]) {
      const answer = await router.post(path, envelope);
      await expectTrouble(answer, {
        code: "PRIORITY_LIMIT_EXCEEDED",
        param: "priority",
        says: /^priority 4 is above .* 2/,
      });
    }
  });

  test("whoever asks: what counts is the user that it is for", async () => {
    const { router } = await openScene({ config });
    const headers = { ...as(router.keys.service), "x-priority": "5" };
    const own = await router.post(chat, CHAT, headers);
    expect(own.status).toBe(200);
    await own.text();
    const forUser = await router.post(chat, CHAT, { ...headers, "x-user-id": "user" });
    expect(forUser.status).toBe(403);
    const job = await submit(router, { priority: 5, user_id: "user" }, as(router.keys.service));
    expect(job.status).toBe(403);
  });
});

test("up to the limit a priority is what was asked, and without one 3, or the limit if lower", async () => {
  const { router } = await openScene({ config });
  await (await router.post(chat, CHAT, { "x-priority": "1" })).text();
  await (await router.post(chat, CHAT, { "x-priority": "2" })).text();
  await (await router.post(chat, CHAT)).text();
  await (await router.post(chat, CHAT, as(router.keys.service))).text();
  const lines = await router.requestLines(4);
  expect(lines.map(({ fields }) => (fields as { band: number }).band)).toEqual([1, 2, 2, 3]);
  const job = await overJob(router, await submittedId(await submit(router)));
  expect(job).toMatchObject({ priority: 2 });
});
