import { expect, test } from "vitest";
import { SignsOfLife } from "../../../src/failures/signs-of-life.ts";

test("a worker is alive if it was seen since the attempt began", () => {
  const signs = new SignsOfLife();
  expect(signs.since(3, 0)).toBe(false);
  signs.saw(3, 1000);
  expect(signs.since(3, 1000)).toBe(true);
  expect(signs.since(3, 999)).toBe(true);
  expect(signs.since(3, 1001)).toBe(false);
  expect(signs.since(4, 0)).toBe(false);
  signs.saw(3, 2000);
  expect(signs.since(3, 1001)).toBe(true);
});
