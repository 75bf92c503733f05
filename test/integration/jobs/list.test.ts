import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, cancelJob, overJob, submit } from "../../support/job-api.ts";
import type { JobBody } from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import { hangBeforeHeaders } from "../../support/stub-behaviours.ts";
import type { TestRouter } from "../../support/test-router.ts";

interface Page {
  readonly requests: readonly JobBody[];
  readonly next_cursor: string | null;
}

type Headers = Readonly<Record<string, string>>;

async function list(router: TestRouter, query = "", headers?: Headers): Promise<Page> {
  const answer = await router.get(`/api/v1/requests${query}`, headers);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Page;
}

const idsOf = ({ requests }: Page): string[] => requests.map(({ request_id }) => request_id);

describe("the list of jobs", () => {
  test("shows them newest first and in short: no result, no decision", async () => {
    const { router } = await openScene();
    for (const id of ["one", "two"]) {
      await submit(router, { request_id: id });
      await overJob(router, id);
    }
    const page = await list(router);
    expect(idsOf(page)).toEqual(["two", "one"]);
    expect(page.next_cursor).toBeNull();
    expect(page.requests[0]).toMatchObject({
      status: "completed",
      user_id: "user",
      model_id: "stub-model",
      worker_id: "worker-1",
      progress: 1,
      error: null,
      finished_at: expect.stringMatching(/Z$/) as string,
    });
    for (const field of ["result", "decision", "attempts", "placement"]) {
      expect(page.requests[0]).not.toHaveProperty(field);
    }
  });

  test("goes on where a page ended, while jobs come and go", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    for (const id of ["a", "b", "c", "d", "e"]) await submit(router, { request_id: id });
    const first = await list(router, "?limit=2");
    expect(idsOf(first)).toEqual(["e", "d"]);
    await submit(router, { request_id: "late" });
    await cancelJob(router, "d");
    const second = await list(router, `?limit=2&cursor=${first.next_cursor}`);
    expect(idsOf(second)).toEqual(["c", "b"]);
    const third = await list(router, `?limit=2&cursor=${second.next_cursor}`);
    expect([idsOf(third), third.next_cursor]).toEqual([["a"], null]);
    for (const id of ["a", "b", "c", "e", "late"]) await cancelJob(router, id);
  });

  test("is of the states that are asked for", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    for (const id of ["a", "b", "c"]) await submit(router, { request_id: id });
    await cancelJob(router, "b");
    expect(idsOf(await list(router, "?status=cancelled"))).toEqual(["b"]);
    expect(idsOf(await list(router, "?status=processing,cancelled"))).toEqual(["c", "b", "a"]);
    expect(idsOf(await list(router, "?status=completed"))).toEqual([]);
    for (const id of ["a", "c"]) await cancelJob(router, id);
  });

  test.each([
    ["status=done", "status", /must be one or several of pending, queued, processing/],
    ["status=queued,", "status", /with commas between them/],
    ["limit=0", "limit", /1/],
    ["limit=201", "limit", /200/],
    ["limit=many", "limit", /number/],
    ["cursor=xyz", "cursor", /must be the next_cursor of an earlier answer/],
    ["cursor=", "cursor", /must be the next_cursor/],
    ["cursor=YmVmb3JlIDAw", "cursor", /must be the next_cursor/],
    ["page=2", "page", /./],
  ])("refuses ?%s", async (query, param, says) => {
    const { router } = await openScene();
    const answer = await router.get(`/api/v1/requests?${query}`);
    await expectTrouble(answer, { code: "INVALID_REQUEST", says, param });
  });
});

describe("whose jobs are listed", () => {
  async function crowd(): Promise<TestRouter> {
    const { router } = await openScene();
    const service = as(router.keys.service);
    await submit(router, { request_id: "own" });
    await submit(router, { request_id: "anns", user_id: "ann" }, service);
    await submit(router, { request_id: "admins" }, as(router.keys.admin));
    await router.requestLines(3);
    return router;
  }

  test("a user's are its own, whoever is named", async () => {
    const router = await crowd();
    expect(idsOf(await list(router))).toEqual(["own"]);
    const foreign = await router.get("/api/v1/requests", { "x-user-id": "ann" });
    await expectTrouble(foreign, { code: "USER_MISMATCH", says: /./, param: "x-user-id" });
  });

  test("services, operators and admins get everybody's, or those of the user they name", async () => {
    const router = await crowd();
    for (const role of ["service", "operator", "admin"] as const) {
      const headers = as(router.keys[role]);
      expect(idsOf(await list(router, "", headers)), role).toEqual(["admins", "anns", "own"]);
    }
    for (const role of ["service", "admin"] as const) {
      const headers = { ...as(router.keys[role]), "x-user-id": "ann" };
      expect(idsOf(await list(router, "", headers)), role).toEqual(["anns"]);
    }
  });
});
