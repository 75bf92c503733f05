import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { ErrorBody } from "../../../src/errors.ts";
import { JobWatch } from "../../../src/http/job-watch.ts";
import { as, cancelJob, overJob, readJob, submit } from "../../support/job-api.ts";
import { followJob } from "../../support/job-events.ts";
import { openScene } from "../../support/router-scene.ts";
import { chatCompletion, hangBeforeHeaders, json } from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

/** Answers when the returned function is called. */
function held(): { readonly behaviour: Behaviour; readonly release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const behaviour: Behaviour = async (exchange) => {
    await promise;
    await json()(exchange);
  };
  return { behaviour, release: resolve };
}

describe("the events of a job", () => {
  test("begin with how it is, and end with all of it", async () => {
    const { behaviour, release } = held();
    const { router } = await openScene({ behaviour });
    await submit(router, { request_id: "job" });
    const events = await followJob(router, "job");
    expect(events.answer.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-request-id": expect.stringMatching(/./) as string,
    });
    const first = await events.next();
    expect(first).toMatchObject({
      event: "state",
      id: 1,
      data: { request_id: "job", status: "processing", worker_id: "worker-1", placement: null },
    });
    release();
    const [state, progress, done, ...more] = await events.rest();
    expect(more).toEqual([]);
    expect(state).toMatchObject({ event: "state", id: 2, data: { status: "completed" } });
    const { usage } = chatCompletion() as { usage: Record<string, number> };
    const { prompt_tokens, completion_tokens } = usage;
    expect(progress).toMatchObject({
      event: "progress",
      data: { progress: 1, prompt_tokens, completion_tokens },
    });
    expect(done?.event).toBe("done");
    expect(done?.data).toEqual(await (await readJob(router, "job")).json());
  });

  test("of one that is over come at once, and the stream ends", async () => {
    const { router } = await openScene();
    await submit(router, { request_id: "job" });
    await overJob(router, "job");
    const events = await (await followJob(router, "job")).rest();
    expect(events.map(({ event }) => event)).toEqual(["state", "progress", "done"]);
  });

  test("tell of its cancellation", async () => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    await submit(router, { request_id: "job" });
    await stub.seen(1);
    const events = await followJob(router, "job");
    await events.next();
    await cancelJob(router, "job");
    expect((await events.rest()).at(-1)).toMatchObject({
      event: "done",
      data: { status: "cancelled" },
    });
  });

  test("cost nothing once the client has gone, and the job goes on", async () => {
    const stop = vi.spyOn(JobWatch.prototype, "stop");
    onTestFinished(() => stop.mockRestore());
    const { behaviour, release } = held();
    const { router } = await openScene({ behaviour });
    await submit(router, { request_id: "job" });
    const events = await followJob(router, "job");
    await events.next();
    events.leave();
    await expect.poll(() => stop.mock.calls.length, SOON).toBe(1);
    release();
    expect((await overJob(router, "job")).status).toBe("completed");
  });

  test("of another user's job look as if there were none", async () => {
    const { router } = await openScene();
    await submit(router, { request_id: "theirs" }, as(router.keys.admin));
    await overJob(router, "theirs", as(router.keys.admin));
    const bytesOf = async (id: string): Promise<string> => {
      const answer = await router.get(`/api/v1/requests/${id}/events`);
      expect(answer.status).toBe(404);
      const text = await answer.text();
      return text.replaceAll((JSON.parse(text) as ErrorBody).error.request_id, "(id)");
    };
    expect(await bytesOf("theirs")).toBe(await bytesOf("unknown"));
  });

  test("can be followed by an operator", async () => {
    const { router } = await openScene();
    await submit(router, { request_id: "job" });
    const events = await followJob(router, "job", as(router.keys.operator));
    expect((await events.rest()).at(-1)).toMatchObject({ event: "done" });
  });

  test("have no HEAD, which would show nothing until the job is over", async () => {
    const { router } = await openScene();
    await submit(router, { request_id: "job" });
    await overJob(router, "job");
    const answer = await fetch(`${router.url}/api/v1/requests/job/events`, {
      method: "HEAD",
      headers: as(router.keys.user),
    });
    expect(answer.status).toBe(404);
  });
});

describe("a router that is stopped", () => {
  test("waits for the job, not for those who follow it, and each hears of its end", async () => {
    const { behaviour, release } = held();
    const config = { api: { drain_timeout: 60 } };
    const { router } = await openScene({ behaviour, config });
    await submit(router, { request_id: "job" });
    const events = await followJob(router, "job");
    await events.next();
    const closed = router.close();
    release();
    expect((await events.rest()).at(-1)).toMatchObject({ data: { status: "completed" } });
    await closed;
    expect(router.logs.map(({ message }) => message)).not.toContain(
      "drain timeout over, requests cut off",
    );
  });

  test("tells of a job that it cuts off", async () => {
    const config = { api: { drain_timeout: 0.05 } };
    const { router } = await openScene({ behaviour: hangBeforeHeaders, config });
    await submit(router, { request_id: "job" });
    const events = await followJob(router, "job");
    await events.next();
    await router.close();
    expect((await events.rest()).at(-1)).toMatchObject({
      event: "done",
      data: { status: "failed", error: { code: "SHUTTING_DOWN" } },
    });
  });
});
