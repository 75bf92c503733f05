import { describe, expect, test } from "vitest";
import { classify } from "../../../src/failures/classify.ts";
import { retryDelayMs, type RetryQuestion } from "../../../src/failures/retry.ts";

const unsent = classify({ kind: "unreachable", failure: "refused" });
const broken = classify({ kind: "broken", failure: "reset", committed: false });
const passed = classify({ kind: "answered", status: 200 });

const delay = (changes: Partial<RetryQuestion>): number | null =>
  retryDelayMs({
    policy: { maxRetries: 3, delayMs: 1000 },
    verdict: broken,
    attempts: 1,
    anotherWorker: true,
    random: () => 0.5,
    ...changes,
  });

describe("the next attempt", () => {
  test("waits the configured delay, give or take a half", () => {
    expect(delay({ random: () => 0 })).toBe(500);
    expect(delay({ random: () => 0.5 })).toBe(1000);
    expect(delay({ random: () => 0.999 })).toBeCloseTo(1499);
  });

  test("is made at once where nothing was sent and another worker is there", () => {
    expect(delay({ verdict: unsent })).toBe(0);
    expect(delay({ verdict: unsent, anotherWorker: false })).toBe(1000);
    expect(delay({ verdict: broken })).toBe(1000);
  });

  test("is the last after max_retries", () => {
    expect([1, 2, 3, 4].map((attempts) => delay({ attempts }))).toEqual([1000, 1000, 1000, null]);
    expect(delay({ verdict: unsent, attempts: 4 })).toBeNull();
    expect(delay({ policy: { maxRetries: 0, delayMs: 1000 } })).toBeNull();
  });

  test("is not made where the answer is the client's", () => {
    expect(delay({ verdict: passed })).toBeNull();
    expect(delay({ verdict: classify({ kind: "abandoned" }) })).toBeNull();
  });
});
