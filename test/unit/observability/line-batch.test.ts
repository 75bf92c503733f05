import { beforeEach, expect, test } from "vitest";
import { LineBatch } from "../../../src/observability/line-batch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

let clock: FakeClock;
let written: string[];
let batch: LineBatch;

beforeEach(() => {
  clock = new FakeClock();
  written = [];
  const write = (lines: string): void => void written.push(lines);
  batch = new LineBatch({ clock, maxLength: 10, maxWaitMs: 200, write });
});

test("lines of one moment leave together", () => {
  batch.write("one\n");
  batch.write("two\n");
  expect(written).toEqual([]);
  clock.advance(200);
  expect(written).toEqual(["one\ntwo\n"]);
});

test("a full batch leaves at once, and the next one waits its own time", () => {
  batch.write("one\n");
  clock.advance(150);
  batch.write("two\nthree\n");
  expect(written).toEqual(["one\ntwo\nthree\n"]);
  batch.write("four\n");
  clock.advance(199);
  expect(written).toHaveLength(1);
  clock.advance(1);
  expect(written).toEqual(["one\ntwo\nthree\n", "four\n"]);
});

test("nothing is written where there is nothing", () => {
  batch.flush();
  batch.write("one\n");
  batch.flush();
  batch.flush();
  clock.advance(1000);
  expect(written).toEqual(["one\n"]);
});
