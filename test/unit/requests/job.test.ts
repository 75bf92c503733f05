import { describe, expect, test } from "vitest";
import type { Job } from "../../../src/requests/job.ts";
import { JobAnswer } from "../../../src/requests/job-answer.ts";
import { serving } from "../../support/routing-builders.ts";
import { answerOf, decision, jobOf } from "./job-setup.ts";

describe("a job", () => {
  test("starts with the first decision that finds a worker, and stays started", () => {
    const job = jobOf();
    expect([job.state, job.isOver]).toEqual(["pending", false]);
    job.decided(null, { ...decision, chosen: null }, 500);
    expect([job.state, job.startedAtWallMs]).toEqual(["pending", null]);
    const [first, second] = [serving(0), serving(1)];
    job.decided(first, decision, 1000);
    job.decided(second, decision, 2000);
    expect([job.state, job.startedAtWallMs, job.worker]).toEqual(["processing", 1000, second]);
  });

  test("has started when it first did, also if it had to queue again", () => {
    const job = jobOf();
    job.decided(serving(0), decision, 1000);
    job.moveTo("queued", 1500);
    job.decided(serving(0), decision, 2000);
    expect([job.state, job.startedAtWallMs]).toEqual(["processing", 1000]);
  });

  test("keeps its latest decision, and no worker once it is over", () => {
    const job = jobOf();
    job.moveTo("cancelled", 500);
    job.decided(serving(0), decision, 1000);
    expect([job.state, job.worker, job.decision]).toEqual(["cancelled", null, decision]);
  });

  test("cannot be over twice", () => {
    const job = jobOf();
    job.moveTo("cancelled", 500);
    expect(() => job.moveTo("failed", 600)).toThrow("from cancelled to failed");
    job.moveTo("cancelled", 700);
    expect(job.finishedAtWallMs).toBe(500);
  });

  test("tells each listener of its end once, at once if it is over", () => {
    const told: string[] = [];
    const job = jobOf();
    const listener = (name: string) => (ended: Job) => told.push(`${name}: ${ended.state}`);
    job.onEnd(listener("first"));
    job.onEnd(listener("second"))();
    expect(told).toEqual([]);
    job.moveTo("failed", 1000);
    job.onEnd(listener("third"));
    expect(told).toEqual(["first: failed", "third: failed"]);
  });

  test("tells who watches it of each state and decision, the last one included", () => {
    const told: string[] = [];
    const job = jobOf();
    const stop = job.onChange(({ state, worker }) => told.push(`${state} ${worker?.id ?? ""}`));
    job.onChange(() => told.push("stopped"))();
    job.moveTo("queued", 100);
    job.decided(null, decision, 200);
    job.decided(serving(0), decision, 300);
    job.decided(serving(1), decision, 400);
    job.moveTo("processing", 500);
    job.moveTo("completed", 600);
    expect(told).toEqual([
      "queued ",
      "queued ",
      "processing worker-0",
      "processing worker-1",
      "completed worker-1",
    ]);
    job.decided(serving(2), decision, 700);
    job.onChange(() => told.push("too late"));
    stop();
    expect(told).toHaveLength(5);
  });

  test("is over, with its time, when it tells of its end", () => {
    const job = jobOf();
    const told: unknown[] = [];
    job.onChange(({ isOver, finishedAtWallMs }) => told.push([isOver, finishedAtWallMs]));
    job.moveTo("failed", 900);
    expect(told).toEqual([[true, 900]]);
  });

  test("weighs what its body and its answer weigh", () => {
    const job = jobOf({ body: Buffer.alloc(100) });
    const without = job.bytes;
    job.answer = answerOf("x".repeat(40));
    expect(job.bytes - without).toBe(40);
    expect(without).toBeGreaterThanOrEqual(100);
  });
});

test("a job's answer cannot be a stream", () => {
  const sink = new JobAnswer();
  for (const call of ["begin", "write", "onDrain", "end", "cut"] as const) {
    expect(() => sink[call]()).toThrow("a job's answer cannot be a stream");
  }
});
