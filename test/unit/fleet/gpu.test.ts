import { describe, expect, test } from "vitest";
import { isTooHot } from "../../../src/fleet/gpu.ts";

const MAX_C = 85;

describe("a GPU's heat", () => {
  test("is too much from the limit on", () => {
    expect(isTooHot(84.9, MAX_C, false)).toBe(false);
    expect(isTooHot(85, MAX_C, false)).toBe(true);
  });

  test("stays too much until 5 °C below the limit", () => {
    expect(isTooHot(80.1, MAX_C, true)).toBe(true);
    expect(isTooHot(80, MAX_C, true)).toBe(false);
  });

  test("between the two is judged as before", () => {
    expect(isTooHot(82, MAX_C, false)).toBe(false);
    expect(isTooHot(82, MAX_C, true)).toBe(true);
  });

  test("is judged as before when the temperature is unknown", () => {
    expect(isTooHot(null, MAX_C, false)).toBe(false);
    expect(isTooHot(null, MAX_C, true)).toBe(true);
  });
});
