import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, PAYLOAD, submit, submitBatch, type JobBody } from "../../support/job-api.ts";
import { openScene, type Scene } from "../../support/router-scene.ts";

type Headers = Readonly<Record<string, string>>;

const CALLS = {
  route: ({ router }: Scene, headers: Headers, changes = {}) => submit(router, changes, headers),
  "route/batch": ({ router }: Scene, headers: Headers, changes = {}) =>
    submitBatch(router, [{}], { headers, ...changes }),
  "route/explain": ({ router }: Scene, headers: Headers, changes = {}) => {
    const envelope = { model_id: "stub-model", payload: PAYLOAD, ...changes };
    return router.post("/api/v1/route/explain", envelope, headers);
  },
};

describe.each(Object.entries(CALLS))("x-user-id at POST /api/v1/%s", (_, call) => {
  test("is refused where a user names another", async () => {
    const answer = await call(await openScene(), { "x-user-id": "ann" });
    const says = /^this key belongs to user: leave x-user-id out/;
    await expectTrouble(answer, { code: "USER_MISMATCH", param: "x-user-id", says });
  });

  test("is refused where the body names somebody else", async () => {
    const scene = await openScene();
    const headers = { ...as(scene.router.keys.service), "x-user-id": "ann" };
    const says = /^user_id and x-user-id name different users: send one of them/;
    const refused = await call(scene, headers, { user_id: "bob" });
    await expectTrouble(refused, { code: "INVALID_REQUEST", param: "user_id", says });
    expect((await call(scene, headers, { user_id: "ann" })).status).toBe(200);
  });
});

test("a service submits for the user in x-user-id, as it asks for their jobs", async () => {
  const { router } = await openScene();
  const headers = { ...as(router.keys.service), "x-user-id": "ann", prefer: "wait=20" };
  expect((await submit(router, { request_id: "hers" }, headers)).status).toBe(200);
  const job = (await (await router.get("/api/v1/requests/hers", headers)).json()) as JobBody;
  expect(job.user_id).toBe("ann");
});
