import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findMember } from "../../../src/dispatch/json-member.ts";

function member(text: string, name: string): string | null {
  const body = Buffer.from(text);
  const span = findMember(body, name);
  return span && body.toString("utf8", span.start, span.end);
}

describe("a top-level member", () => {
  test.each([
    ['{"a":1}', "1"],
    ['{"a" : 1.50e2 , "b":2}', "1.50e2"],
    ['{"b":{"a":1},"a":{"a":[2,{"c":3}]}}', '{"a":[2,{"c":3}]}'],
    ['{"a":"x,\\"a\\":}"}', '"x,\\"a\\":}"'],
    ['{"b":"a","a":null}', "null"],
    ['{\n\t"a"\r:\n[ 1, 2 ]\n}', "[ 1, 2 ]"],
    ['{"a":{}}', "{}"],
    [String.raw`{"\u0061":true}`, "true"],
    ['{"a":1,"a":2}', "2"],
  ])("of %s is %s", (text, value) => {
    expect(member(text, "a")).toBe(value);
  });

  test.each(["{}", '{"b":"a"}', '{"b":{"a":1}}', '{"b":["a",1]}'])("is not in %s", (text) => {
    expect(member(text, "a")).toBeNull();
  });

  test("is what a parser finds, in any object", () => {
    const name = fc.constantFrom("a", "b", 'a"', "a\\", "ä", "");
    const space = fc.constantFrom("", " ", "\t");
    const objects = fc.dictionary(name, fc.jsonValue(), { maxKeys: 5 });
    fc.assert(
      fc.property(objects, name, space, (object, wanted, indent) => {
        const found = member(JSON.stringify(object, null, indent), wanted);
        if (!Object.hasOwn(object, wanted)) expect(found).toBeNull();
        else expect(JSON.parse(found ?? "")).toEqual(JSON.parse(JSON.stringify(object[wanted])));
      }),
    );
  });
});
