import { describe, expect, test } from "vitest";
import {
  counted,
  duration,
  memory,
  percent,
  power,
  temperature,
} from "../../../src/cli/quantities.ts";

const GIB = 2 ** 30;

test("figures have their units, and what is not known is a dash", () => {
  expect([percent(0.974), percent(0), percent(null)]).toEqual(["97 %", "0 %", "-"]);
  expect([temperature(71.4), temperature(null)]).toEqual(["71 °C", "-"]);
  expect(memory(20 * GIB, 80 * GIB)).toBe("20.0/80.0 GiB");
  expect([memory(null, 80 * GIB), memory(null, null)]).toEqual(["?/80.0 GiB", "-"]);
  expect([power(300.4, 700), power(300, null), power(null, 700)]).toEqual([
    "300/700 W",
    "300 W",
    "-",
  ]);
});

describe("a duration", () => {
  test.each([
    [0, "0 s"],
    [-5000, "0 s"],
    [119_999, "119 s"],
    [120_000, "2 min"],
    [7_199_999, "119 min"],
    [7_200_000, "2 h"],
    [172_799_999, "47 h"],
    [172_800_000, "2 d"],
    [null, "-"],
    [NaN, "-"],
  ])("of %s ms is %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

test("one is not many", () => {
  expect([counted(1, "job"), counted(0, "job"), counted(2, "job")]).toEqual([
    "1 job",
    "0 jobs",
    "2 jobs",
  ]);
});
