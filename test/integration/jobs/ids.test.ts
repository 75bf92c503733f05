import { expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, cancelJob, overJob, readJob, submit, submittedId } from "../../support/job-api.ts";
import { openScene } from "../../support/router-scene.ts";

test("an id that two users have is nobody's for a service, until it says whose", async () => {
  const { router } = await openScene();
  const service = as(router.keys.service);
  for (const user of ["alice", "bob"]) {
    await submit(router, { request_id: "job-1", user_id: user }, service);
    await overJob(router, "job-1", { ...service, "x-user-id": user });
  }
  const ambiguous = {
    code: "INVALID_REQUEST",
    says: /^several users have a job with this id: say whose with x-user-id$/,
    param: "x-user-id",
  } as const;
  await expectTrouble(await readJob(router, "job-1", service), ambiguous);
  await expectTrouble(await cancelJob(router, "job-1", service), ambiguous);
  const alices = await readJob(router, "job-1", { ...service, "x-user-id": "alice" });
  expect(await alices.json()).toMatchObject({ user_id: "alice" });
});

test("two jobs of one trace are two jobs: the trace's id is not theirs", async () => {
  const { router } = await openScene();
  const trace = { "x-request-id": "trace-1" };
  const first = await submit(router, {}, trace);
  const second = await submit(router, {}, trace);
  expect(first.headers.get("x-request-id")).toBe("trace-1");
  expect(await submittedId(first)).not.toBe(await submittedId(second));
});
