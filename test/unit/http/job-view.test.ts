import { describe, expect, test } from "vitest";
import type { Place } from "../../../src/dispatch/dispatcher.ts";
import { viewSubmission } from "../../../src/http/job-view.ts";
import { ExpectedDurations } from "../../../src/requests/expected-duration.ts";
import { Job } from "../../../src/requests/job.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";

const decision = { strategy: "hybrid", chosen: "worker-0", candidates: [] };
const START_MS = Date.UTC(2026, 0, 1);
const inMs = (ms: number): string => new Date(START_MS + ms).toISOString();

/** A job that was submitted when the clock started, and how it looks wherever it stands. */
function createJob(expectedDurationMs: number | null = null) {
  const clock = new FakeClock(START_MS);
  const expected = new ExpectedDurations();
  const about = { submittedAtWallMs: START_MS, expectedDurationMs, callbackUrl: null };
  const job = new Job(routedRequest(), about);
  const view = (place: Place | null = null) =>
    viewSubmission(job, { clock, expected, place: () => place, explain: () => decision });
  return { clock, expected, job, view };
}

/** Teaches what a job of model m takes. */
function complete(expected: ExpectedDurations, tookMs: number): void {
  const { job } = createJob();
  job.decided(serving(0), decision, 0);
  job.moveTo("completed", tookMs);
  expected.learn(job);
}

describe("a job that waits", () => {
  test("has its place in the queue, and starts when that is estimated to be its turn", () => {
    const { clock, job, view } = createJob(2000);
    clock.advance(500);
    job.moveTo("queued", clock.wallMs());
    expect(view({ position: 3, startsInMs: 700 })).toEqual({
      request_id: "req-1",
      status: "queued",
      gpu_id: null,
      worker_id: null,
      queue_position: 3,
      estimated_start_time: inMs(1200),
      estimated_completion_time: inMs(3200),
    });
  });

  test("does not start at any time that is known where the queue cannot tell", () => {
    const { job, view } = createJob(2000);
    job.moveTo("queued", START_MS);
    expect(view({ position: 1, startsInMs: null })).toMatchObject({
      queue_position: 1,
      estimated_start_time: null,
      estimated_completion_time: null,
    });
  });

  test("that is expected to end after the last date there is ends at no known time", () => {
    const { clock, job, view } = createJob(Number.MAX_SAFE_INTEGER);
    job.decided(serving(0), decision, clock.wallMs());
    expect(view()).toMatchObject({
      estimated_start_time: inMs(0),
      estimated_completion_time: null,
    });
  });

  test("keeps its start where it waits for a further attempt", () => {
    const { clock, job, view } = createJob(2000);
    job.decided(serving(0), decision, clock.wallMs());
    clock.advance(100);
    job.moveTo("queued", clock.wallMs());
    expect(view({ position: 2, startsInMs: 50 })).toMatchObject({
      queue_position: 2,
      estimated_start_time: inMs(0),
    });
  });
});

test("a job that is neither placed nor known to wait has no position", () => {
  const { view } = createJob();
  expect(view()).toMatchObject({ status: "pending", queue_position: null });
});

describe("a job that runs", () => {
  test("is at position 0, and ends when it said", () => {
    const { clock, expected, job, view } = createJob(2000);
    complete(expected, 9000);
    clock.advance(100);
    job.decided(serving(0), decision, clock.wallMs());
    expect(view()).toMatchObject({
      queue_position: 0,
      worker_id: "worker-0",
      estimated_start_time: inMs(100),
      estimated_completion_time: inMs(2100),
    });
  });

  test("ends at no known time once it has taken longer than was expected", () => {
    const { clock, job, view } = createJob(2000);
    job.decided(serving(0), decision, clock.wallMs());
    clock.advance(2000);
    expect(view().estimated_completion_time).toBe(inMs(2000));
    clock.advance(1);
    expect(view().estimated_completion_time).toBeNull();
  });

  test("ends when jobs of its model usually do, where it did not say", () => {
    const { expected, job, view } = createJob();
    job.decided(serving(0), decision, START_MS);
    expect(view().estimated_completion_time).toBeNull();
    complete(expected, 9000);
    expect(view().estimated_completion_time).toBe(inMs(9000));
  });
});

test("a job that is over tells when it ended, and has no position any more", () => {
  const { clock, job, view } = createJob(2000);
  job.decided(serving(0), decision, clock.wallMs());
  clock.advance(300);
  job.moveTo("completed", clock.wallMs());
  expect(view({ position: 1, startsInMs: 5 })).toMatchObject({
    queue_position: null,
    estimated_start_time: inMs(0),
    estimated_completion_time: inMs(300),
  });
});
