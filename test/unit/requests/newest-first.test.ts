import fc from "fast-check";
import { expect, test } from "vitest";
import { NewestFirst } from "../../../src/requests/newest-first.ts";

function filled(...sequences: number[]) {
  const list = new NewestFirst<{ readonly sequence: number }>();
  const items = sequences.map((sequence) => ({ sequence }));
  for (const item of items) list.add(item);
  const before = (sequence: number) => [...list.before(sequence)].map((item) => item.sequence);
  return { list, items, before };
}

test("reads from the newest back, from any point on, also from one that is gone", () => {
  const { list, items, before } = filled(2, 3, 5, 8);
  expect(before(Infinity)).toEqual([8, 5, 3, 2]);
  expect(before(5)).toEqual([3, 2]);
  list.remove(items[2]!);
  expect(before(5)).toEqual([3, 2]);
  expect(before(6)).toEqual([3, 2]);
  expect(before(2)).toEqual([]);
});

test("removing twice, or what never was there, does nothing", () => {
  const { list, items, before } = filled(1, 2, 3, 4, 5, 6);
  for (const item of [items[1]!, items[1]!, { sequence: 9 }]) list.remove(item);
  expect([list.size, before(Infinity)]).toEqual([5, [6, 5, 4, 3, 1]]);
});

test("shows what is left, newest first, whatever comes and goes", () => {
  const step = fc.record({ adds: fc.boolean(), at: fc.nat(), from: fc.nat(80) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { list, before } = filled();
      let left: { readonly sequence: number }[] = [];
      steps.forEach(({ adds, at, from }, index) => {
        if (adds) {
          const item = { sequence: index };
          list.add(item);
          left = [item, ...left];
        } else if (left.length > 0) {
          const [gone] = left.splice(at % left.length, 1);
          list.remove(gone!);
        }
        expect(list.size).toBe(left.length);
        const sequences = left.map(({ sequence }) => sequence);
        expect(before(from)).toEqual(sequences.filter((sequence) => sequence < from));
      });
    }),
  );
});

test("holds no more room than twice what is left", () => {
  const { list, items } = filled(...Array.from({ length: 1000 }, (_, at) => at));
  for (const item of items.slice(0, 990)) list.remove(item);
  expect(list.size).toBe(10);
  expect(list.room).toBeLessThanOrEqual(20);
});
