import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findItems, findMember } from "../../../src/dispatch/json-member.ts";

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

describe("the items of an array", () => {
  const itemsOf = (text: string): string[] => {
    const body = Buffer.from(text);
    const items = findItems(body, findMember(body, "a")!);
    return items.map(({ start, end }) => body.toString("utf8", start, end));
  };

  test.each([
    ['{"a":[]}', []],
    ['{"a":[ ], "b":[1]}', []],
    ['{"b":[0],"a":[1]}', ["1"]],
    ['{"a":[ {"c":[1,2]} ,\n[3,[4]],"x,]\\"","" ]}', ['{"c":[1,2]}', "[3,[4]]", '"x,]\\""', '""']],
    ['{"a":[1],"a":[2.50,3]}', ["2.50", "3"]],
  ])("of %s are %j", (text, items) => {
    expect(itemsOf(text)).toEqual(items);
  });

  test("are what a parser finds, in any array", () => {
    const space = fc.constantFrom("", " ", "\t");
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), space, (a, b, indent) => {
        const text = JSON.stringify({ b, a, c: b }, null, indent);
        const parsed = itemsOf(text).map((item) => JSON.parse(item) as unknown);
        expect(parsed).toEqual((JSON.parse(text) as { readonly a: unknown }).a);
      }),
    );
  });
});
