import { expect, test } from "vitest";
import { lineSplitter } from "../../../../../src/fleet/sources/nvidia-smi/line-splitter.ts";

function linesOf(chunks: readonly string[]): readonly string[] {
  const lines: string[] = [];
  const split = lineSplitter((line) => lines.push(line));
  for (const chunk of chunks) split(chunk);
  return lines;
}

test("a line may come in pieces, and several in one", () => {
  expect(linesOf(["0, GP", "U-1\n1, GPU-2\n2,", " GPU-3\n"])).toEqual([
    "0, GPU-1",
    "1, GPU-2",
    "2, GPU-3",
  ]);
});

test("one that is cut off by the end is none", () => {
  expect(linesOf(["0, GPU-1\n1, GP"])).toEqual(["0, GPU-1"]);
});

test("empty lines and Windows' ends are left out", () => {
  expect(linesOf(["0, GPU-1\r\n\r\n\n"])).toEqual(["0, GPU-1"]);
});

test("a line without an end does not fill the memory", () => {
  const [line] = linesOf(["x".repeat(50_000), "y".repeat(50_000), "\n"]);
  expect(line!.length).toBeLessThanOrEqual(65_536);
});
