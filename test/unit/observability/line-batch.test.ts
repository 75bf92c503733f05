import { beforeEach, expect, test } from "vitest";
import { LineBatch } from "../../../src/observability/line-batch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

let clock: FakeClock;
let written: string[];
let batch: LineBatch;

beforeEach(() => {
  clock = new FakeClock();
  written = [];
  batch = batchOf(2);
});

function batchOf(maxLines: number): LineBatch {
  const write = (lines: string): void => void written.push(lines);
  return new LineBatch({ clock, maxLines, maxLength: 20, maxWaitMs: 200, write });
}

test("lines of one moment leave together", () => {
  batch = batchOf(3);
  batch.write("one\n");
  batch.write("two\n");
  expect(written).toEqual([]);
  clock.advance(200);
  expect(written).toEqual(["one\ntwo\n"]);
});

test("a full batch leaves at once, and the next one waits its own time", () => {
  batch.write("one\n");
  clock.advance(150);
  batch.write("two\n");
  expect(written).toEqual(["one\ntwo\n"]);
  batch.write("three\n");
  clock.advance(199);
  expect(written).toHaveLength(1);
  clock.advance(1);
  expect(written).toEqual(["one\ntwo\n", "three\n"]);
});

test("nothing is written where there is nothing", () => {
  batch.flush();
  batch.write("one\n");
  batch.flush();
  batch.flush();
  clock.advance(1000);
  expect(written).toEqual(["one\n"]);
});

test("lines that are not made yet are made when their batch leaves, in the order of all lines", () => {
  let made = 0;
  batch = batchOf(3);
  batch.write({ make: () => `made ${++made}\n` });
  batch.write("between\n");
  expect(made).toBe(0);
  batch.write({ make: () => `made ${++made}\n` });
  expect(written).toEqual(["made 1\nbetween\nmade 2\n"]);
});

test("long lines leave before there are many of them", () => {
  batch = batchOf(100);
  batch.write({ make: () => "a short one\n" });
  batch.write(`${"long".repeat(4)}\n`);
  expect(written).toEqual([]);
  batch.write("on top\n");
  expect(written).toEqual([`a short one\n${"long".repeat(4)}\non top\n`]);
  batch.write("next\n");
  expect(written).toHaveLength(1);
});
