import { describe, expect, test } from "vitest";
import type { Answer } from "../../../src/dispatch/answer.ts";
import {
  attemptsFailedError,
  deadlineError,
  failureOf,
  placementError,
} from "../../../src/dispatch/give-up.ts";
import { routedRequest } from "../../support/request-builders.ts";

const answer = (status: number, retryAfterMs: number | null = null): Answer => ({
  status,
  contentType: "application/json",
  body: Buffer.from("{}"),
  retryAfterMs,
});

const errorOfAnswer = (status: number, attempts = 1, retryAfterMs: number | null = null) =>
  attemptsFailedError({
    workerId: "node1",
    outcome: { kind: "answered", status },
    answer: answer(status, retryAfterMs),
    attempts,
  });

describe("what is told when every attempt failed", () => {
  test.each([408, 429, 503])(
    "after %i is that workers are busy, and when to come back",
    (status) => {
      const error = errorOfAnswer(status, 2, 7000);
      expect(error).toMatchObject({ code: "NO_GPU_AVAILABLE", retryAfterMs: 7000 });
      expect(error.message).toBe(`every worker is busy: node1 answered ${status}`);
      expect(errorOfAnswer(status).retryAfterMs).toBe(1000);
    },
  );

  test("names the worker, the last failure and the number of attempts", () => {
    expect(errorOfAnswer(500)).toMatchObject({ code: "WORKER_FAILED", retryAfterMs: null });
    expect(errorOfAnswer(500).message).toBe("the attempt failed; node1: answered 500");
    expect(errorOfAnswer(500, 4).message).toBe("4 attempts failed; node1: answered 500");
    const outcome = { kind: "unreachable", failure: "refused (ECONNREFUSED)" } as const;
    const last = { workerId: "node1", outcome, answer: null, attempts: 4 };
    expect(attemptsFailedError(last).message).toBe(
      "4 attempts failed; node1: refused (ECONNREFUSED)",
    );
  });

  test.each([401, 403])("after %i is where the worker's key is set", (status) => {
    expect(errorOfAnswer(status).message).toContain("check its api_key_env");
  });
});

describe("a failure in words", () => {
  test("is empty where nothing failed", () => {
    expect(failureOf({ kind: "answered", status: 200 })).toBe("");
    expect(failureOf({ kind: "abandoned" })).toBe("");
    expect(failureOf({ kind: "released", how: "ok" })).toBe("");
  });

  test("is what broke, or that nothing came", () => {
    expect(failureOf({ kind: "broken", failure: "reset", committed: true })).toBe("reset");
    expect(failureOf({ kind: "answered", status: 302 })).toBe("answered 302");
    const silent = { kind: "timeout", workerAlive: false, committed: false } as const;
    expect(failureOf(silent)).toBe("it sent nothing before the deadline");
  });
});

test("a deadline tells how long it was, and the three ways out", () => {
  const error = deadlineError(routedRequest({ acceptedAtMs: 1000, deadlineAtMs: 3550 }));
  expect(error.code).toBe("DEADLINE_EXCEEDED");
  expect(error.message).toBe(
    "still generating after 2.6 s: stream, send x-timeout-ms, or raise " +
      "request_router.request_timeout",
  );
});

test("a deadline of half a tenth does not hang on the clock's fractions", () => {
  const acceptedAtMs = 1000.2857142857143;
  const error = deadlineError(routedRequest({ acceptedAtMs, deadlineAtMs: acceptedAtMs + 150 }));
  expect(error.message).toContain("after 0.2 s");
});

test("a job's deadline names the field of the job", () => {
  expect(deadlineError(routedRequest({ timeoutMs: 30_000 })).message).toBe(
    "still generating after 30 s: send a longer timeout, or raise request_router.request_timeout",
  );
});

describe("a placement", () => {
  const request = routedRequest({ timeoutMs: 90_000 });

  test("that was completed well has no error", () => {
    expect(placementError("ok", request)).toBeNull();
  });

  test("that went badly says so in its caller's name, and not in the worker's", () => {
    expect(placementError("failed", request)?.code).toBe("WORKER_FAILED");
    expect(placementError("failed", request)?.message).toBe(
      failureOf({ kind: "released", how: "failed" }),
    );
  });

  test("that is not completed in time names its timeout and what to do", () => {
    expect(placementError("overdue", request)?.code).toBe("DEADLINE_EXCEEDED");
    expect(placementError("overdue", request)?.message).toMatch(
      /within its timeout of 90 s: POST .*\/complete earlier, or send a longer timeout/,
    );
  });
});
