import { describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, cancelJob, overJob, PAYLOAD, readJob, submit } from "../../support/job-api.ts";
import type { JobBody } from "../../support/job-api.ts";
import { followJob } from "../../support/job-events.ts";
import { openScene, type SceneOptions } from "../../support/router-scene.ts";
import { hangBeforeHeaders } from "../../support/stub-behaviours.ts";
import type { TestRouter } from "../../support/test-router.ts";

type Headers = Readonly<Record<string, string>>;

const placement = { request_id: "place", payload: undefined };

async function hold(options: SceneOptions = {}, changes: Record<string, unknown> = {}) {
  const scene = await openScene(options);
  const answer = await submit(scene.router, { ...placement, ...changes });
  expect(answer.status).toBe(200);
  return { ...scene, submitted: (await answer.json()) as JobBody & Placed };
}

interface Placed {
  readonly placement: {
    readonly worker_url: string;
    readonly gpu_ids: readonly string[];
    readonly lease_expires_at: string;
  } | null;
}

function complete(router: TestRouter, body: unknown = { ok: true }, headers: Headers = {}) {
  return router.post("/api/v1/requests/place/complete", body, headers);
}

async function read(router: TestRouter, headers?: Headers): Promise<JobBody & Placed> {
  return (await (await readJob(router, "place", headers)).json()) as JobBody & Placed;
}

describe("a job without a payload", () => {
  test("holds a worker, tells where it is, and sends it nothing", async () => {
    const { router, stub, submitted } = await hold({}, { timeout: 60_000 });
    const place = {
      worker_url: stub.url,
      gpu_ids: [],
      lease_expires_at: expect.stringMatching(/Z$/) as string,
    };
    expect(submitted).toMatchObject({ status: "processing", placement: place });
    expect(await read(router)).toMatchObject({ status: "processing", placement: place });
    const { started_at } = await read(router);
    const expires = Date.parse(submitted.placement?.lease_expires_at ?? "");
    expect(expires - Date.parse(started_at ?? "")).toBe(60_000);
    expect(await router.openLeases()).toBe(1);

    const completed = await complete(router, { ok: true, tokens: 12 });
    expect(completed.status).toBe(200);
    expect(await completed.json()).toMatchObject({
      status: "completed",
      result: null,
      error: null,
      attempts: [{ worker_id: "worker-1", outcome: "released", failure: null }],
    });
    expect(await read(router)).toMatchObject({ status: "completed", placement: null });
    expect(stub.requests).toHaveLength(0);
    const [line] = await router.requestLines(1);
    expect(line?.fields).toMatchObject({ path: "placement", status: 200, completionTokens: 12 });
  });

  test("that its caller says went wrong is failed, and nothing is held against the worker", async () => {
    const { router } = await hold();
    expect(await (await complete(router, { ok: false })).json()).toMatchObject({
      status: "failed",
      error: { code: "WORKER_FAILED", message: "its caller completed it with ok: false" },
    });
    expect(await router.attemptClasses()).toEqual({ neutral: 1 });
  });

  test("ends at its timeout, which says nothing about the worker", async () => {
    const { router } = await hold({}, { timeout: 50 });
    expect(await overJob(router, "place")).toMatchObject({
      status: "failed",
      error: { code: "DEADLINE_EXCEEDED" },
    });
    expect(await router.attemptClasses()).toEqual({ neutral: 1 });
    await expectTrouble(await complete(router), {
      code: "ALREADY_FINISHED",
      says: /^the job is already failed$/,
      param: "request_id",
    });
  });

  test("is cancelled like any other", async () => {
    const { router } = await hold();
    expect(await (await cancelJob(router, "place")).json()).toMatchObject({
      status: "cancelled",
      placement: null,
    });
    await router.requestLines(1);
    await expectTrouble(await complete(router), {
      code: "ALREADY_FINISHED",
      says: /already cancelled/,
      param: "request_id",
    });
  });

  test("may not name a path, as nothing is sent", async () => {
    const { router } = await openScene();
    const answer = await submit(router, { ...placement, path: "/v1/completions" });
    await expectTrouble(answer, {
      code: "INVALID_REQUEST",
      says: /send a payload, or leave path out/,
      param: "path",
    });
  });

  test("can be explained, and takes nothing then", async () => {
    const { router } = await openScene();
    const answer = await router.post("/api/v1/route/explain", { model_id: "stub-model" });
    expect(await answer.json()).toMatchObject({ chosen: "worker-1" });
    expect(await router.openLeases()).toBe(0);
  });
});

describe("the completion of a placement", () => {
  test("is done once", async () => {
    const { router } = await hold();
    const [first, ...others] = (
      await Promise.all([complete(router), complete(router), complete(router)])
    ).toSorted((a, b) => a.status - b.status);
    expect(first?.status).toBe(200);
    for (const other of others) {
      await expectTrouble(other, {
        code: "ALREADY_FINISHED",
        says: /^the job is already completed$/,
        param: "request_id",
      });
    }
  });

  test("is refused for a job with a payload, while it runs and afterwards", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    await submit(router, { request_id: "place", payload: PAYLOAD });
    await expectTrouble(await complete(router), {
      code: "INVALID_REQUEST",
      says: /^the job has a payload and ends by its answer/,
      param: "request_id",
    });
    await cancelJob(router, "place");
    await expectTrouble(await complete(router), {
      code: "ALREADY_FINISHED",
      says: /cancelled/,
      param: "request_id",
    });
  });

  test.each([
    [{}, "ok"],
    [{ ok: "yes" }, "ok"],
    [{ ok: true, tokens: -1 }, "tokens"],
    [{ ok: true, tokens: 1.5 }, "tokens"],
    [{ ok: true, gpu: 1 }, "gpu"],
  ])("refuses %o", async (body, param) => {
    const { router } = await hold();
    const says = new RegExp(param);
    await expectTrouble(await complete(router, body), { code: "INVALID_REQUEST", says, param });
    expect((await complete(router)).status).toBe(200);
  });

  test("is the owner's, a service's or an admin's; for others there is no such job", async () => {
    const { router } = await hold();
    const stranger = await hold({
      keys: [{ key: "other-key", user: "other", role: "user" }],
    });
    await expectTrouble(await complete(stranger.router, undefined, as("other-key")), {
      code: "REQUEST_NOT_FOUND",
      says: /^no such job of yours/,
      param: "request_id",
    });
    await complete(stranger.router, undefined, as(stranger.router.keys.service));
    const operator = as(router.keys.operator);
    await expectTrouble(await complete(router, undefined, operator), {
      code: "FORBIDDEN",
      says: /only the job's owner, a service or an admin may complete it/,
    });
    expect((await complete(router, undefined, as(router.keys.admin))).status).toBe(200);
  });

  test("is taken while the router stops", async () => {
    const { router } = await hold({ config: { api: { drain_timeout: 60 } } });
    const events = await followJob(router, "place");
    const body = JSON.stringify({ ok: true });
    const headers = { ...as(router.keys.user), "content-type": "application/json" };
    const closed = router.close();
    const url = "/api/v1/requests/place/complete";
    const answer = await router.app.server.inject({ method: "POST", url, headers, body });
    expect(answer.statusCode).toBe(200);
    expect((await events.rest()).at(-1)).toMatchObject({ data: { status: "completed" } });
    await closed;
  });
});

test("a placement waits for its turn, and its time begins with it", async () => {
  const { router } = await hold({ worker: { slots: 1 } }, { timeout: 60_000 });
  await submit(router, { request_id: "next", payload: undefined, timeout: 60_000 });
  const events = await followJob(router, "next");
  expect((await events.next()).data).toMatchObject({ status: "queued", placement: null });
  const early = await router.post("/api/v1/requests/next/complete", { ok: true });
  await expectTrouble(early, {
    code: "INVALID_REQUEST",
    says: /^the job is queued and holds no worker yet: wait until it is processing, or DELETE it$/,
    param: "request_id",
  });
  await complete(router);
  const { data } = await events.next();
  expect(data).toMatchObject({ status: "processing", placement: { gpu_ids: [] } });
  const { placement: place, started_at } = data as unknown as JobBody & Placed;
  expect(Date.parse(place?.lease_expires_at ?? "") - Date.parse(started_at ?? "")).toBe(60_000);
  await router.post("/api/v1/requests/next/complete", { ok: true });
  expect((await events.rest()).at(-1)).toMatchObject({ data: { status: "completed" } });
});

describe("the worker's address", () => {
  test("is shown to the owner, a service and an admin, and to nobody else", async () => {
    const { router, stub } = await hold();
    for (const role of ["user", "service", "admin"] as const) {
      const { placement: shown } = await read(router, as(router.keys[role]));
      expect(shown?.worker_url, role).toBe(stub.url);
    }
    const operator = as(router.keys.operator);
    expect(await read(router, operator)).toMatchObject({ status: "processing", placement: null });
    const events = await followJob(router, "place", operator);
    expect((await events.next()).data).toMatchObject({ status: "processing", placement: null });
    const list = await router.get("/api/v1/requests", operator);
    expect(await list.text()).not.toContain(stub.url);
    await complete(router);
    expect(JSON.stringify(await events.rest())).not.toContain(stub.url);
  });
});
