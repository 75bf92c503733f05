import { describe, expect, test } from "vitest";
import { ExpectedDurations } from "../../../src/requests/expected-duration.ts";
import type { Job } from "../../../src/requests/job.ts";
import { serving } from "../../support/routing-builders.ts";
import { decision, jobOf } from "./job-setup.ts";

/** A job that was submitted at 0, started at 1000 and took this long. */
function endedJob(tookMs: number, model = "m", state: "completed" | "failed" = "completed"): Job {
  return end(jobOf({ model }), tookMs, state);
}

function end(job: Job, tookMs: number, state: "completed" | "failed" = "completed"): Job {
  job.decided(serving(0), decision, 1000);
  job.moveTo(state, 1000 + tookMs);
  return job;
}

describe("what a job usually takes", () => {
  test("is unknown before one of its model has completed", () => {
    const durations = new ExpectedDurations();
    durations.learn(endedJob(500, "m", "failed"));
    const cancelled = jobOf();
    cancelled.moveTo("cancelled", 1000);
    durations.learn(cancelled);
    durations.learn(endedJob(500, "other"));
    expect(durations.ofModel("m")).toBeNull();
    expect(durations.ofModel("other")).toBe(500);
  });

  test("is a mean that moves with the newest by a fifth", () => {
    const durations = new ExpectedDurations();
    durations.learn(endedJob(1000));
    expect(durations.ofModel("m")).toBe(1000);
    durations.learn(endedJob(2000));
    expect(durations.ofModel("m")).toBe(1200);
  });

  test("is not learnt from placements, whose work is their caller's own", () => {
    const durations = new ExpectedDurations();
    durations.learn(end(jobOf({ path: null, isPlacement: true }), 500));
    expect(durations.ofModel("m")).toBeNull();
  });

  test("is remembered for a thousand models, and goes on being learnt for them", () => {
    const durations = new ExpectedDurations();
    for (let at = 0; at < 1001; at++) durations.learn(endedJob(1000, `m${at}`));
    expect(durations.ofModel("m999")).toBe(1000);
    expect(durations.ofModel("m1000")).toBeNull();
    durations.learn(endedJob(2000, "m0"));
    expect(durations.ofModel("m0")).toBe(1200);
  });
});
