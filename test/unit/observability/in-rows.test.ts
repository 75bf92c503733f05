import { expect, test } from "vitest";
import { InRows } from "../../../src/observability/in-rows.ts";

test("items are worked on in their order, once each, when a row is full or somebody looks", () => {
  const done: number[] = [];
  const rows = new InRows<number>((item) => done.push(item));
  for (let item = 0; item < 63; item++) rows.add(item);
  expect(done).toEqual([]);
  rows.add(63);
  expect(done).toEqual(Array.from({ length: 64 }, (_, item) => item));
  rows.add(64);
  rows.catchUp();
  rows.catchUp();
  expect(done.slice(64)).toEqual([64]);
});
