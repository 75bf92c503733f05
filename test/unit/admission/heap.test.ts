import fc from "fast-check";
import { expect, test } from "vitest";
import { Heap } from "../../../src/admission/heap.ts";

interface Item {
  heapIndex: number;
  weight: number;
  readonly id: number;
}

const before = (a: Item, b: Item): boolean =>
  a.weight === b.weight ? a.id < b.id : a.weight < b.weight;

const anyStep = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), weight: fc.nat(20) }),
  fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }),
  fc.record({ kind: fc.constant("move" as const), which: fc.nat(), weight: fc.nat(20) }),
);

test("the first is the one before all others, whatever is added, removed and moved", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 100, size: "max" }), (steps) => {
      const heap = new Heap<Item>(before);
      const model: Item[] = [];
      steps.forEach((step, id) => {
        const item = step.kind === "add" ? undefined : model[step.which % model.length];
        if (step.kind === "add") {
          const added = { heapIndex: -1, weight: step.weight, id };
          heap.add(added);
          model.push(added);
        } else if (item && step.kind === "remove") {
          heap.remove(item);
          expect(item.heapIndex).toBe(-1);
          model.splice(model.indexOf(item), 1);
        } else if (item && step.kind === "move") {
          item.weight = step.weight;
          heap.moved(item);
        }
        const sorted = model.toSorted((a, b) => (before(a, b) ? -1 : 1));
        expect(heap.first).toBe(sorted[0]);
        expect(heap.size).toBe(model.length);
        expect(new Set(heap)).toEqual(new Set(model));
      });
    }),
  );
});

test("taken one by one, items come in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 200, size: "max" }), (weights) => {
      const heap = new Heap<Item>(before);
      weights.forEach((weight, id) => heap.add({ heapIndex: -1, weight, id }));
      const taken: number[] = [];
      for (let first = heap.first; first; first = heap.first) {
        taken.push(first.weight);
        heap.remove(first);
      }
      expect(taken).toEqual(weights.toSorted((a, b) => a - b));
    }),
  );
});

test("removing what is in no heap, or in another, does nothing", () => {
  const [heap, other] = [new Heap<Item>(before), new Heap<Item>(before)];
  const [mine, theirs] = [1, 2].map((id) => ({ heapIndex: -1, weight: 0, id }));
  heap.add(mine!);
  other.add(theirs!);
  heap.remove(theirs!);
  heap.remove({ heapIndex: -1, weight: 0, id: 3 });
  expect([heap.size, other.size]).toEqual([1, 1]);
  expect(theirs!.heapIndex).toBe(0);
});
