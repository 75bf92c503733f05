import fc from "fast-check";
import { expect, test } from "vitest";
import { normaliseWeights } from "../../../src/config/weights.ts";

const weight = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });

test("weights of any size add up to 1 and keep their order", () => {
  fc.assert(
    fc.property(fc.record({ a: weight, b: weight, c: weight }), (weights) => {
      fc.pre(weights.a + weights.b + weights.c > 0);
      const { a, b, c } = normaliseWeights(weights);
      expect(a + b + c).toBeCloseTo(1, 6);
      expect(Math.min(a, b, c)).toBeGreaterThanOrEqual(0);
      if (weights.a > weights.b) expect(a).toBeGreaterThanOrEqual(b);
    }),
  );
});

test("weights whose sum is infinite still have proportions", () => {
  const huge = Number.MAX_VALUE;
  expect(normaliseWeights({ a: huge, b: huge })).toEqual({ a: 0.5, b: 0.5 });
});

test("no weights stay no weights", () => {
  expect(normaliseWeights({})).toEqual({});
});
