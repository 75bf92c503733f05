import fc from "fast-check";
import { expect, test } from "vitest";
import { OrderedList } from "../../../src/admission/ordered-list.ts";

interface Item {
  previous: Item | null;
  next: Item | null;
  readonly weight: number;
  readonly id: number;
}

const before = (a: Item, b: Item): boolean =>
  a.weight === b.weight ? a.id < b.id : a.weight < b.weight;

function idsOf(list: OrderedList<Item>): number[] {
  const ids: number[] = [];
  for (let item = list.first; item; item = item.next) ids.push(item.id);
  return ids;
}

const anyStep = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), weight: fc.nat(20) }),
  fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }),
);

test("what is in it is in order, whatever is added and removed", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 100, size: "max" }), (steps) => {
      const list = new OrderedList<Item>(before);
      const model: Item[] = [];
      steps.forEach((step, id) => {
        if (step.kind === "add") {
          const item = { previous: null, next: null, weight: step.weight, id };
          list.add(item);
          model.push(item);
        } else if (model.length > 0) {
          const [item] = model.splice(step.which % model.length, 1);
          list.remove(item!);
          expect([item!.previous, item!.next]).toEqual([null, null]);
        }
        model.sort((a, b) => (before(a, b) ? -1 : 1));
        expect(idsOf(list)).toEqual(model.map((item) => item.id));
        expect([list.size, list.first?.id]).toEqual([model.length, model[0]?.id]);
      });
    }),
  );
});

test("the end is found at once: adding what comes last looks at one other", () => {
  let looks = 0;
  const list = new OrderedList<Item>((a, b) => {
    looks += 1;
    return before(a, b);
  });
  for (let id = 0; id < 1000; id++) list.add({ previous: null, next: null, weight: 0, id });
  expect(looks).toBe(999);
});
