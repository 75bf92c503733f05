import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, PAYLOAD, submit } from "../../support/job-api.ts";
import { CHAT, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyBeforeHeaders, error, stream } from "../../support/stub-behaviours.ts";

const chat = "/v1/chat/completions";

function limited(requestLimit: number, more: Readonly<Record<string, unknown>> = {}) {
  const users = [{ id: "user", request_limit: requestLimit, ...more }];
  return { config: { users } };
}

/** What the answer says of the user's requests, or tokens. */
function rateIn({ headers }: Response, units = "requests") {
  const part = (name: string) => headers.get(`x-ratelimit-${name}-${units}`);
  return [part("limit"), part("remaining"), part("reset")];
}

/** A window of a minute, and the slice of it that has begun. */
const FULL_WINDOW = expect.stringMatching(/^1m[01]s$/) as string;

describe("the request_limit", () => {
  test("lets so many pass, and refuses the next with a wait and what to change", async () => {
    const { router, stub } = await openScene(limited(2));
    for (const remaining of ["1", "0"]) {
      const answer = await router.post(chat, CHAT);
      expect(answer.status).toBe(200);
      expect(rateIn(answer)).toEqual(["2", remaining, FULL_WINDOW]);
      await answer.text();
    }
    const refused = await router.post(chat, CHAT);
    expect(rateIn(refused)).toEqual(["2", "0", FULL_WINDOW]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(59);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(61);
    const says =
      /^user has used 2 of request_limit 2 in 60 s: wait \d+ s, .*users\[\]\.request_limit/;
    await expectTrouble(refused, { code: "QUOTA_EXCEEDED", param: "request_limit", says });
    expect(stub.requests).toHaveLength(2);
  });

  test("counts jobs too, and tells it in their answers, refused ones included", async () => {
    const { router } = await openScene(limited(1));
    const first = await submit(router, {}, { prefer: "wait=20" });
    expect(rateIn(first)).toEqual(["1", "0", FULL_WINDOW]);
    const refused = await submit(router);
    expect(rateIn(refused)).toEqual(["1", "0", FULL_WINDOW]);
    expect(refused.headers.get("retry-after")).not.toBeNull();
    await expectTrouble(refused, {
      code: "QUOTA_EXCEEDED",
      param: "request_limit",
      says: /^user /,
    });
  });

  test("is not touched by what is refused, and the refusal says so", async () => {
    const { router } = await openScene(limited(1));
    const unknown = await router.post(chat, { ...CHAT, model: "unknown" });
    const job = await submit(router, { model_id: "unknown" });
    expect([unknown.status, job.status]).toEqual([404, 404]);
    expect([unknown, job].map((answer) => rateIn(answer))).toEqual([
      ["1", "1", "0s"],
      ["1", "1", "0s"],
    ]);
  });

  test("is charged to the user that a service acts for", async () => {
    const { router } = await openScene(limited(1));
    const headers = { ...as(router.keys.service), "x-user-id": "user" };
    await (await router.post(chat, CHAT, headers)).text();
    expect(rateIn(await router.post(chat, CHAT, headers))).toEqual(["1", "0", FULL_WINDOW]);
    const own = await router.post(chat, CHAT, as(router.keys.service));
    expect(own.status).toBe(200);
    await own.text();
  });

  test("is not touched by reads, explanations and bad requests", async () => {
    const { router } = await openScene(limited(1));
    await router.get("/v1/models");
    await router.get("/api/v1/gpus");
    await router.post("/api/v1/route/explain", { model_id: "stub-model", payload: { prompt: "" } });
    expect((await router.post(chat, {})).status).toBe(400);
    expect((await router.post(chat, { model: "no-such" })).status).toBe(404);
    const answer = await router.post(chat, CHAT);
    expect(answer.status).toBe(200);
    await answer.text();
  });

  test("counts a request that a worker saw, even if it failed there", async () => {
    const { router } = await openScene({
      ...limited(5),
      config: { ...limited(5).config, request_router: { max_retries: 0 } },
      behaviour: destroyBeforeHeaders,
    });
    const answer = await router.post(chat, CHAT);
    expect(answer.status).toBe(502);
    expect(rateIn(await router.post(chat, CHAT))[1]).toBe("3");
  });
});

test("a batch is charged for each of its requests, or refused whole and charged for none", async () => {
  const { router } = await openScene(limited(3));
  const job = { model_id: "stub-model", payload: PAYLOAD };
  const send = (count: number): Promise<Response> =>
    router.post("/api/v1/route/batch", { requests: Array.from({ length: count }, () => job) });

  const hopeless = {
    code: "INVALID_REQUEST",
    param: "requests",
    says: /request_limit of 3/,
  } as const;
  await expectTrouble(await send(4), hopeless);
  const taken = await send(2);
  expect(taken.status).toBe(200);
  expect(rateIn(taken)).toEqual(["3", "1", FULL_WINDOW]);
  const refused = await send(2);
  expect(rateIn(refused)).toEqual(["3", "1", FULL_WINDOW]);
  const says = /has used 2 of request_limit 3/;
  await expectTrouble(refused, { code: "QUOTA_EXCEEDED", param: "request_limit", says });
});

test("a stream tells what is left, and so does a worker's own refusal", async () => {
  const streamed = await openScene({ ...limited(9), behaviour: stream() });
  const events = await streamed.router.post(chat, STREAMED_CHAT);
  expect(rateIn(events)).toEqual(["9", "8", FULL_WINDOW]);
  await events.text();
  const refusing = await openScene({ ...limited(9), behaviour: error(422, "no") });
  expect(rateIn(await refusing.router.post(chat, CHAT))).toEqual(["9", "8", FULL_WINDOW]);
});

describe("the token_limit", () => {
  test("counts what workers report, and refuses once it is used up", async () => {
    // So many tokens has each answer of the stub.
    const { router } = await openScene(limited(100, { token_limit: 9 }));
    const answer = await router.post(chat, CHAT);
    expect(answer.status).toBe(200);
    await answer.text();
    const quota = await router.get("/api/v1/quotas");
    expect(await quota.json()).toMatchObject({ tokens: { used: 9, held: 0, remaining: 0 } });
    const refused = await router.post(chat, CHAT);
    expect(rateIn(refused, "tokens")).toEqual(["9", "0", FULL_WINDOW]);
    await expectTrouble(refused, {
      code: "QUOTA_EXCEEDED",
      param: "token_limit",
      says: /used 9 of token_limit 9/,
    });
  });

  test("has no headers where there is none", async () => {
    const { router } = await openScene(limited(100));
    const answer = await router.post(chat, CHAT);
    expect(rateIn(answer, "tokens")).toEqual([null, null, null]);
    await answer.text();
  });
});
