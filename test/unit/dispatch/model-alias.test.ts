import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withModel } from "../../../src/dispatch/model-alias.ts";

const replaced = (text: string, name = "served"): string =>
  withModel(Buffer.from(text), name).toString();

/** Keys and texts that look like the model's, beside any other. */
const anyKey = fc.oneof(fc.constantFrom("model", 'model"', "\\model", "{", ",", ""), fc.string());
const anyText = fc.oneof(
  fc.constantFrom('"model":"x"', "\\", '\\"', "}", "model"),
  fc.string({ unit: "binary" }),
);
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, 0, -1.5e30),
    anyText,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(anyKey, tie("value"), { maxKeys: 4 }),
  ),
}));

/** JSON texts of objects, by their members, so that where the model stands is known. */
const anyBody = fc
  .record({
    before: fc.array(fc.tuple(anyKey, anyValue), { maxLength: 4 }),
    model: anyText,
    after: fc.array(fc.tuple(anyKey, anyValue), { maxLength: 4 }),
    space: fc.constantFrom("", " ", "\n\t"),
  })
  .map(({ before, model, after, space }) => {
    const member = (key: string, value: unknown): string =>
      `${space}${JSON.stringify(key)}${space}:${space}${JSON.stringify(value, null, space)}${space}`;
    const others = (members: typeof before): string[] =>
      members.filter(([key]) => key !== "model").map(([key, value]) => member(key, value));
    const head = `{${[...others(before), `${space}"model"${space}:${space}`].join(",")}`;
    const tail = ["", ...others(after)].join(",");
    return { head, model: JSON.stringify(model), tail: `${tail}}` };
  });

describe("a body with another model", () => {
  test("is the same object, but for the model", () => {
    fc.assert(
      fc.property(anyBody, anyText, ({ head, model, tail }, name) => {
        const before: unknown = JSON.parse(head + model + tail);
        const after: unknown = JSON.parse(replaced(head + model + tail, name));
        expect(after).toEqual({ ...(before as object), model: name.toWellFormed() });
      }),
    );
  });

  test("is the same bytes, but for the model's", () => {
    fc.assert(
      fc.property(anyBody, anyText, ({ head, model, tail }, name) => {
        expect(replaced(head + model + tail, name)).toBe(head + JSON.stringify(name) + tail);
      }),
    );
  });

  test("keeps bytes that are no valid text", () => {
    const body = Buffer.concat([
      Buffer.from('{"user":"'),
      Buffer.from([0xff, 0xfe, 0xc3]),
      Buffer.from('","model":"m"}'),
    ]);
    const expected = Buffer.concat([body.subarray(0, -4), Buffer.from('"served"}')]);
    expect(withModel(body, "served")).toEqual(expected);
  });
});

describe("the model that is replaced", () => {
  test.each([
    ['{"a":{"model":"x"},"model":"m"}', '{"a":{"model":"x"},"model":"served"}'],
    ['{"model":"m","a":[{"model":"x"}]}', '{"model":"served","a":[{"model":"x"}]}'],
    ['{"a":"model","model":"m","b":"model"}', '{"a":"model","model":"served","b":"model"}'],
    ['{"a":"\\",\\"model\\":","model":"m"}', '{"a":"\\",\\"model\\":","model":"served"}'],
    ['{"a\\\\":"x","model":"m"}', '{"a\\\\":"x","model":"served"}'],
  ])("of %s is the one at the top", (body, expected) => {
    expect(replaced(body)).toBe(expected);
  });

  test("is the last where the key is given twice, as parsers see it", () => {
    expect(replaced('{"model":"a","model":"b"}')).toBe('{"model":"a","model":"served"}');
    expect(replaced('{"model":7,"model":"b"}')).toBe('{"model":7,"model":"served"}');
  });

  test("is found behind escapes, and after an unescaped one", () => {
    const escaped = String.raw`"mod\u0065l"`;
    expect(replaced(`{${escaped}:"m","a":1}`)).toBe(`{${escaped}:"served","a":1}`);
    const body = `{"model":"a",${escaped}:"b"}`;
    expect(JSON.parse(replaced(body))).toEqual({ model: "served" });
  });

  test("may be written with escapes itself", () => {
    expect(replaced(String.raw`{"model":"a\"b\\","x":1}`)).toBe('{"model":"served","x":1}');
  });

  test("may get a name of any characters", () => {
    expect(replaced('{"model":"m"}', 'a"b\\c\n漢')).toBe('{"model":"a\\"b\\\\c\\n漢"}');
  });
});

test("a body without a model is a defect", () => {
  expect(() => replaced('{"a":{"model":"x"}}')).toThrow("no model");
});
