import { expect, test } from "vitest";
import { parseRetryAfterMs } from "../../src/retry-after.ts";
import { FakeClock } from "../support/fake-clock.ts";

const clock = new FakeClock(Date.UTC(2026, 0, 1, 12, 0, 0));
const parse = (header: string | string[] | undefined) => parseRetryAfterMs(header, clock);

test.each([
  ["0", 0],
  ["7", 7000],
  [" 7 ", 7000],
  ["30", 30_000],
  ["31", 30_000],
  ["86400", 30_000],
  ["9".repeat(400), 30_000],
])("%j seconds are waited, up to 30", (header, expected) => {
  expect(parse(header)).toBe(expected);
});

test.each([
  ["Thu, 01 Jan 2026 12:00:07 GMT", 7000],
  ["Thursday, 01-Jan-26 12:00:07 GMT", 7000],
  ["Fri, 02 Jan 2026 12:00:00 GMT", 30_000],
  ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
])("%j is waited for, up to 30 s", (header, expected) => {
  expect(parse(header)).toBe(expected);
});

test.each(["", "soon", "soon 5", "-5", "1.5", "1e3", "0x10", "5 s", "2026-01-01", "Thu, x GMT"])(
  "%j says nothing",
  (header) => {
    expect(parse(header)).toBeNull();
  },
);

test("neither does a header that is absent or given twice", () => {
  expect(parse(undefined)).toBeNull();
  expect(parse(["1", "2"])).toBeNull();
});
