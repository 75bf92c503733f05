import { expect, test } from "vitest";
import { Rounds } from "../../../../../src/fleet/sources/nvidia-smi/rounds.ts";

/** Rows by their index; the rounds that they make, as lists of indexes. */
function roundsOf(indexes: readonly string[], count: string): readonly (readonly string[])[] {
  const found: string[][] = [];
  const rounds = new Rounds((rows) => found.push(rows.map((row) => row.index ?? "")));
  for (const index of indexes) rounds.take({ index, count });
  return found;
}

test("a round ends with as many rows as there are GPUs, not only when the next begins", () => {
  expect(roundsOf(["0", "1"], "2")).toEqual([["0", "1"]]);
});

test("half a round is none", () => {
  expect(roundsOf(["0"], "2")).toEqual([]);
});

test("where the last GPU is gone, the round ends as the next begins", () => {
  expect(roundsOf(["0", "1", "0", "1", "0"], "3")).toEqual([
    ["0", "1"],
    ["0", "1"],
  ]);
});

test("where the first GPU is gone, too", () => {
  expect(roundsOf(["1", "2", "1", "2", "1"], "3")).toEqual([
    ["1", "2"],
    ["1", "2"],
  ]);
});

test("a GPU that does not tell its index stands in its place", () => {
  expect(roundsOf(["0", "[GPU is lost]", "2", "0"], "3")).toEqual([["0", "[GPU is lost]", "2"]]);
});

const LOST = "[GPU is lost]";

test("rows that tell neither index nor count make no endless round", () => {
  expect(roundsOf([LOST, LOST, LOST], LOST)).toEqual([[LOST], [LOST]]);
});

test("a row that tells neither begins a round after as many rows as the latest had", () => {
  const before = ["0", "1", "2"];
  const after = [LOST, "1", "2"];
  expect(roundsOf([...before, ...after, ...after, LOST], "[N/A]")).toEqual([before, after, after]);
});

test("without a count, only the next round ends one", () => {
  expect(roundsOf(["0", "1", "0"], "[N/A]")).toEqual([["0", "1"]]);
});
