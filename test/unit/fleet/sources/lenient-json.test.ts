import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseLenientJson } from "../../../../src/fleet/sources/lenient-json.ts";

describe("JSON with NaN and Infinity, as Python writes it", () => {
  test("is read with null in their place, and says so", () => {
    const text = '{"a": NaN, "b": [Infinity, -Infinity, 1], "c": "NaN \\" Infinity"}';
    expect(parseLenientJson(text)).toEqual({
      value: { a: null, b: [null, null, 1], c: 'NaN " Infinity' },
      repaired: true,
    });
  });

  test("that is otherwise broken is not read", () => {
    expect(parseLenientJson('{"a": NaN, "b": ')).toBeNull();
    expect(parseLenientJson('{"a": NaN, "b')).toBeNull();
    expect(parseLenientJson("NaNcy")).toBeNull();
  });

  test("takes no longer for being hostile", () => {
    const startedMs = performance.now();
    expect(parseLenientJson(`NaN ${'"\\"'.repeat(500_000)}`)).toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });
});

describe("plain JSON", () => {
  test("is read as JSON.parse does", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseLenientJson(text)).toEqual({ value: JSON.parse(text), repaired: false });
      }),
    );
  });

  test("nested a hundred thousand deep does not break the parser", () => {
    expect(parseLenientJson("[".repeat(100_000))).toBeNull();
    expect(parseLenientJson("[".repeat(100_000) + "]".repeat(100_000))).not.toBeNull();
  });
});
