import { describe, expect, test } from "vitest";
import { readHealth } from "../../../../src/fleet/sources/read-health.ts";

describe("a GPU's health", () => {
  test("is its status and its errors; other fields are ignored", () => {
    const body = { gpu_id: "a", status: "warning", errors: ["XID 31", 7], temperature: 99 };
    expect(readHealth(body)).toEqual({ status: "warning", errors: ["XID 31"] });
  });

  test("may come without errors", () => {
    expect(readHealth({ status: "healthy" })).toEqual({ status: "healthy", errors: [] });
  });

  test("keeps at most 20 errors of 500 characters", () => {
    const errors = Array.from({ length: 30 }, () => "x".repeat(600));
    const read = readHealth({ status: "critical", errors }).errors;
    expect(read.map(({ length }) => length)).toEqual(Array.from({ length: 20 }, () => 500));
  });

  test.each([[null], ["healthy"], [{}], [{ status: "ok" }]])("%j is refused", (body) => {
    expect(() => readHealth(body)).toThrow("status");
  });
});
