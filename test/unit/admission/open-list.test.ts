import fc from "fast-check";
import { expect, test } from "vitest";
import { OpenList, type Listed } from "../../../src/admission/open-list.ts";

interface Item extends Listed {
  readonly name: number;
}

const item = (name: number): Item => ({ name, listIndex: 0 });
const named = (list: OpenList<Item>): number[] =>
  [...list].map(({ name }) => name).toSorted((a, b) => a - b);

test("holds what was added and not removed, whatever the order", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(7))), (steps) => {
      const items = Array.from({ length: 8 }, (_, name) => item(name));
      const list = new OpenList<Item>();
      const expected = new Set<number>();
      for (const [adds, name] of steps) {
        if (adds && !expected.has(name)) {
          list.add(items[name]!);
          expected.add(name);
        } else if (!adds) {
          expect(list.remove(items[name]!)).toBe(expected.delete(name));
        }
        expect(named(list)).toEqual([...expected].toSorted((a, b) => a - b));
        expect(list.size).toBe(expected.size);
      }
    }),
  );
});

test("removing one that was never added takes none", () => {
  const list = new OpenList<Item>();
  list.add(item(1));
  expect(list.remove(item(2))).toBe(false);
  expect(named(list)).toEqual([1]);
});

test("may change while it is walked through", () => {
  const list = new OpenList<Item>();
  for (const name of [1, 2, 3]) list.add(item(name));
  const seen: number[] = [];
  for (const each of list) {
    seen.push(each.name);
    list.remove(each);
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(list.size).toBe(0);
});
