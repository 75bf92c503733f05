import { describe, expect, test } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import { settle } from "../../support/fake-clock.ts";
import { attemptRecord, routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";
import { answerOf, createJobs, decision, noWishes } from "./job-setup.ts";

const tags = { worker: serving(0), attempts: 1, queueMs: 0 };

describe("a job that is submitted", () => {
  test("is kept, and known by its request while it runs", () => {
    const { jobs, store, clock } = createJobs();
    const request = routedRequest();
    const job = jobs.submit(request, { ...noWishes, expectedDurationMs: 1500 });
    expect(job).toMatchObject({ state: "pending", expectedDurationMs: 1500 });
    expect(job.submittedAtWallMs).toBe(clock.wallMs());
    expect(store.find("alice", "req-1")).toBe(job);
    expect(jobs.of(request)).toBe(job);
    expect(jobs.of(routedRequest())).toBeUndefined();
    expect(jobs.runningCount).toBe(1);
  });

  test("completes with the worker's answer", async () => {
    const { jobs, start, clock, ended } = createJobs();
    const { job, route } = start();
    clock.advance(700);
    route.sink.whole(answerOf('{"ok":true}'), tags);
    route.end();
    await settle();
    expect(job).toMatchObject({ state: "completed", error: null });
    expect(job.answer?.body.toString()).toBe('{"ok":true}');
    expect(job.attempts).toHaveLength(1);
    expect(job.finishedAtWallMs).toBe(clock.wallMs());
    expect(jobs.runningCount).toBe(0);
    expect(ended.map((one) => one.job)).toEqual([job]);
  });

  test("has its answer and attempts before those who wait are told", async () => {
    const { start } = createJobs();
    const { job, route } = start();
    const seen: unknown[] = [];
    job.onEnd(({ answer, attempts }) => seen.push(answer?.body.toString(), attempts.length));
    route.sink.whole(answerOf("{}"), tags);
    route.end();
    await settle();
    expect(seen).toEqual(["{}", 1]);
  });

  test("fails where the worker refused it, and keeps the worker's own words", async () => {
    const { start } = createJobs();
    const { job, route } = start();
    route.sink.whole(answerOf('{"error":"too long"}', 400), tags);
    route.end({ status: 400 });
    await settle();
    expect(job).toMatchObject({ state: "failed", error: { code: "INVALID_REQUEST" } });
    expect(job.error?.message).toBe("the worker answered 400: see result");
    expect(job.answer?.body.toString()).toBe('{"error":"too long"}');
  });

  test("fails with what the router says when its attempts failed", async () => {
    const { start } = createJobs();
    const { job, route } = start();
    const error = new RouterError("WORKER_FAILED", "4 attempts failed");
    route.sink.refuse(error, tags);
    route.end({ status: 502, error, attempts: [attemptRecord(), attemptRecord()] });
    await settle();
    expect(job).toMatchObject({ state: "failed", error });
    expect(job.attempts).toHaveLength(2);
  });

  test("ends even where the router has a defect", async () => {
    const { jobs, start, ended, defects } = createJobs();
    const { job, route } = start();
    const defect = new TypeError("undefined is not a function");
    route.break(defect);
    await settle();
    expect(job).toMatchObject({ state: "failed", error: { code: "INTERNAL" } });
    expect(job.error?.message).not.toContain("undefined");
    expect(jobs.runningCount).toBe(0);
    expect(ended).toHaveLength(1);
    expect(defects).toEqual([defect]);
  });

  test("is refused, and not kept, where nobody can take it", async () => {
    const error = new RouterError("NO_GPU_FITS", "no worker can ever run this");
    const { jobs, store, routes, ended } = createJobs((sink) => sink.refuse(error, null));
    expect(() => jobs.submit(routedRequest(), noWishes)).toThrow(error);
    routes[0]!.end({ status: 422, error, attempts: [] });
    await settle();
    expect([store.size, jobs.runningCount]).toEqual([0, 0]);
    expect(ended.map(({ end }) => end.error)).toEqual([error]);
  });

  test("is refused where its id is taken, without harm to the one that has it", () => {
    const { jobs, store, routes } = createJobs();
    const first = jobs.submit(routedRequest(), noWishes);
    expect(() => jobs.submit(routedRequest(), noWishes)).toThrow(/already have a job/);
    expect(routes).toHaveLength(1);
    expect(jobs.runningCount).toBe(1);
    expect(store.find("alice", "req-1")).toBe(first);
  });
});

describe("a job that is cancelled", () => {
  test("is over at once, and its attempt is told", async () => {
    const { jobs, start, clock, ended } = createJobs();
    const { job, route } = start();
    const told: unknown[] = [];
    route.request.abandonment.listen(() => told.push(route.request.abandonment.reason));
    clock.advance(300);
    jobs.cancel(job);
    expect([job.state, job.finishedAtWallMs]).toEqual(["cancelled", clock.wallMs()]);
    expect(told).toEqual(["cancelled"]);
    expect(jobs.runningCount).toBe(1);
    route.end({ status: 499 });
    await settle();
    expect([job.state, job.error, jobs.runningCount]).toEqual(["cancelled", null, 0]);
    expect(ended).toHaveLength(1);
  });

  test("stays cancelled when its answer comes all the same", async () => {
    const { jobs, start } = createJobs();
    const { job, route } = start();
    jobs.cancel(job);
    route.sink.whole(answerOf("{}"), tags);
    route.end();
    await settle();
    expect(job.state).toBe("cancelled");
  });

  test.each(["completed", "failed", "cancelled"] as const)(
    "cannot be one that is already %s",
    async (state) => {
      const { jobs, start } = createJobs();
      const { job, route } = start();
      if (state === "cancelled") jobs.cancel(job);
      route.sink.whole(answerOf("{}", state === "failed" ? 422 : 200), tags);
      route.end();
      await settle();
      expect(job.state).toBe(state);
      const cancel = (): void => jobs.cancel(job);
      expect(cancel).toThrow(expect.objectContaining({ code: "ALREADY_FINISHED" }));
      expect(cancel).toThrow(`the job is already ${state}`);
    },
  );
});

describe("the callback of a job", () => {
  const callbackUrl = new URL("https://example.org/done");
  const wishes = { ...noWishes, callbackUrl };

  test("is sent once, when the job is over", async () => {
    const { jobs, routes, callbacks, clock } = createJobs();
    const job = jobs.submit(routedRequest(), wishes);
    job.decided(serving(0), decision, clock.wallMs());
    clock.advance(500);
    expect(callbacks).toEqual([]);
    routes[0]!.sink.whole(answerOf("{}"), tags);
    routes[0]!.end();
    await settle();
    expect(callbacks).toEqual([
      {
        url: callbackUrl,
        requestId: "req-1",
        user: "alice",
        model: "m",
        status: "completed",
        finishedAtWallMs: clock.wallMs(),
      },
    ]);
  });

  test("tells of a cancelled job in that tick, and not again when its attempt ends", async () => {
    const { jobs, routes, callbacks } = createJobs();
    const job = jobs.submit(routedRequest(), wishes);
    jobs.cancel(job);
    expect(callbacks.map(({ status }) => status)).toEqual(["cancelled"]);
    routes[0]!.end({ status: 499 });
    await settle();
    expect(callbacks).toHaveLength(1);
  });

  test("is not sent for a job that is refused: its client is told at once", async () => {
    const error = new RouterError("NO_GPU_FITS", "no worker can ever run this");
    const { jobs, routes, callbacks } = createJobs((sink) => sink.refuse(error, null));
    expect(() => jobs.submit(routedRequest(), wishes)).toThrow(error);
    routes[0]!.end({ status: 422, error, attempts: [] });
    await settle();
    expect(callbacks).toEqual([]);
  });
});
