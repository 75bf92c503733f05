import { describe, expect, test } from "vitest";
import { isOver, nextState, type JobState } from "../../../src/requests/request.ts";

/** Every way that there is; all others must throw. */
const WAYS: Readonly<Record<JobState, readonly JobState[]>> = {
  pending: ["queued", "processing", "failed", "cancelled"],
  queued: ["processing", "failed", "cancelled"],
  processing: ["queued", "completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
};

const STATES = Object.keys(WAYS) as JobState[];
const pairs = STATES.flatMap((from) => STATES.map((to) => [from, to] as const));

describe("a job", () => {
  test.each(pairs.filter(([from, to]) => WAYS[from].includes(to)))(
    "goes from %s to %s",
    (from, to) => {
      expect(nextState(from, to)).toBe(to);
    },
  );

  test.each(pairs.filter(([from, to]) => !WAYS[from].includes(to)))(
    "never goes from %s to %s",
    (from, to) => {
      expect(() => nextState(from, to)).toThrow(`a job cannot go from ${from} to ${to}`);
    },
  );

  test("is over where no way leads on", () => {
    expect(STATES.filter(isOver)).toEqual(["completed", "failed", "cancelled"]);
  });
});
