import { describe, expect, test } from "vitest";
import type { ErrorBody } from "../../../src/errors.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, cancelJob, overJob, readJob, submit } from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";
import { hangBeforeHeaders } from "../../support/stub-behaviours.ts";

const over = {
  code: "ALREADY_FINISHED",
  says: /^the job is already (?:cancelled|completed)$/,
  param: "request_id",
} as const;

describe("DELETE of a job", () => {
  test("closes the worker's connection, and a second one says that it is over", async () => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    await submit(router, { request_id: "job" });
    await stub.seen(1);

    const cancelled = await cancelJob(router, "job");
    expect(cancelled.status).toBe(200);
    expect(await cancelled.json()).toMatchObject({ request_id: "job", status: "cancelled" });
    await stub.nextAbort();
    await router.requestLines(1);
    expect(await overJob(router, "job")).toMatchObject({ status: "cancelled", result: null });
    await expectTrouble(await cancelJob(router, "job"), over);
  });

  test("that is completed is refused", async () => {
    const { router } = await openScene();
    await submit(router, { request_id: "job" });
    await overJob(router, "job");
    await expectTrouble(await cancelJob(router, "job"), over);
    expect((await overJob(router, "job")).status).toBe("completed");
  });

  test("may name a content type without a body, as some clients always do", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    await submit(router, { request_id: "job" });
    const withType = { "content-type": "application/json" };
    expect((await cancelJob(router, "job", withType)).status).toBe(200);
  });
});

describe("a job of another user", () => {
  /** The answer's bytes, which differ from call to call by the request id alone. */
  async function bytesOf(answer: Response): Promise<string> {
    expect(answer.status).toBe(404);
    const text = await answer.text();
    return text.replaceAll((JSON.parse(text) as ErrorBody).error.request_id, "(id)");
  }

  test("looks exactly like one that does not exist", async () => {
    const { router } = await openScene();
    await submit(router, { request_id: "theirs" }, as(router.keys.admin));
    await overJob(router, "theirs", as(router.keys.admin));
    for (const call of [readJob, cancelJob]) {
      const foreign = await bytesOf(await call(router, "theirs"));
      expect(foreign).toBe(await bytesOf(await call(router, "unknown")));
      expect(foreign).toContain('"code":"REQUEST_NOT_FOUND"');
    }
  });

  test("can be read by an operator, and not cancelled", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    const operator = as(router.keys.operator);
    await submit(router, { request_id: "theirs" });
    const read = await readJob(router, "theirs", operator);
    expect(await read.json()).toMatchObject({ user_id: "user", status: "processing" });
    await expectTrouble(await cancelJob(router, "theirs", operator), {
      code: "FORBIDDEN",
      says: /only the job's owner, a service or an admin may cancel it/,
    });
    expect(await (await readJob(router, "theirs")).json()).toMatchObject({ status: "processing" });
    expect((await cancelJob(router, "theirs", as(router.keys.admin))).status).toBe(200);
  });
});

describe("a service", () => {
  test("acts for the user that it names, reads that user's job and cancels it", async () => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    const service = as(router.keys.service);
    await submit(router, { request_id: "for-user", user_id: "user" }, service);
    await stub.seen(1);
    // It is the user's own, whoever submitted it.
    expect(await (await readJob(router, "for-user")).json()).toMatchObject({ user_id: "user" });
    expect((await readJob(router, "for-user", service)).status).toBe(200);
    expect((await cancelJob(router, "for-user", service)).status).toBe(200);
    await stub.nextAbort();
    const [line] = await router.requestLines(1);
    expect(line?.fields).toMatchObject({ user: "user", status: 499 });
  });

  test("says with x-user-id whose job it means, where two users have the same id", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    const service = as(router.keys.service);
    for (const user of ["ann", "bob"]) {
      await submit(router, { request_id: "same", user_id: user }, service);
    }
    const forAnn = { ...service, "x-user-id": "ann" };
    expect(await (await readJob(router, "same", forAnn)).json()).toMatchObject({ user_id: "ann" });
    expect(await (await cancelJob(router, "same", forAnn)).json()).toMatchObject({
      user_id: "ann",
    });
    const forBob = { ...service, "x-user-id": "bob" };
    expect(await (await readJob(router, "same", forBob)).json()).toMatchObject({
      status: "processing",
    });
    expect((await readJob(router, "same", { ...service, "x-user-id": "cid" })).status).toBe(404);
    await cancelJob(router, "same", forBob);
  });
});

describe("a user that names another", () => {
  const mismatch = { code: "USER_MISMATCH", says: /^this key belongs to user: leave/ } as const;

  test("in a submission is refused", async () => {
    const { router, stub } = await openScene();
    await expectTrouble(await submit(router, { user_id: "ann" }), {
      ...mismatch,
      param: "user_id",
    });
    expect(stub.requests).toHaveLength(0);
    expect((await submit(router, { user_id: "user" })).status).toBe(200);
    await router.requestLines(1);
  });

  test("in a header is refused, before it is said whether there is such a job", async () => {
    const { router } = await openScene();
    const headers = { "x-user-id": "ann" };
    for (const call of [readJob, cancelJob]) {
      await expectTrouble(await call(router, "any", headers), { ...mismatch, param: "x-user-id" });
    }
  });
});
