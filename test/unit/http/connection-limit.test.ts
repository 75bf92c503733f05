import { expect, test } from "vitest";
import { connectionLimit } from "../../../src/http/connection-limit.ts";

test.each([
  // Each of them may need another one to a worker, and 256 are kept for what is neither.
  { openFiles: 1024, limit: 384 },
  { openFiles: 20_000, limit: 9872 },
  // Where there are few, a quarter is kept.
  { openFiles: 256, limit: 96 },
  { openFiles: 1_048_576, limit: 50_000 },
  { openFiles: "unlimited" as const, limit: 50_000 },
])("$openFiles open files let $limit clients in", ({ openFiles, limit }) => {
  expect(connectionLimit(openFiles)).toBe(limit);
});

test("this process has its own limit", () => {
  expect(connectionLimit()).toBeGreaterThan(0);
  expect(connectionLimit()).toBeLessThanOrEqual(50_000);
});
