import fc from "fast-check";
import { expect, test } from "vitest";
import { countLines, LogBacklog, wholeLines } from "../../../src/observability/log-backlog.ts";

test("lines are taken in their order, whole, as many as fit", () => {
  const backlog = new LogBacklog(100);
  backlog.add("one\ntwo\n");
  backlog.add("three\n");
  expect(backlog.take(9).toString()).toBe("one\ntwo\n");
  expect(backlog.bytes).toBe(6);
  expect(backlog.take(9).toString()).toBe("three\n");
  expect(backlog.take(9).toString()).toBe("");
});

test("a line that is longer than what may be taken is taken alone", () => {
  const backlog = new LogBacklog(100);
  backlog.add("a long line\nnext\n");
  expect(backlog.take(3).toString()).toBe("a long line\n");
});

test("the oldest lines make room, and each is counted", () => {
  const backlog = new LogBacklog(12);
  backlog.add("one\ntwo\nsix\n");
  backlog.add("ten\n");
  expect([backlog.droppedLines, backlog.bytes]).toEqual([1, 12]);
  backlog.add("eleven\n");
  expect(backlog.droppedLines).toBe(3);
  expect(backlog.take(100).toString()).toBe("ten\neleven\n");
});

test("what no room could hold is dropped, and nothing for it", () => {
  const backlog = new LogBacklog(12);
  backlog.add("one\n");
  backlog.add("a line of many\nand\n");
  expect(backlog.droppedLines).toBe(2);
  expect(backlog.take(100).toString()).toBe("one\n");
});

test("bytes are those of UTF-8", () => {
  const backlog = new LogBacklog(100);
  backlog.add("größe €\n");
  expect(backlog.bytes).toBe(12);
  expect(backlog.take(100).toString()).toBe("größe €\n");
});

/** What a list of lines would do, whose oldest are removed while it is too long. */
class Model {
  lines: string[] = [];
  dropped = 0;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get bytes(): number {
    return Buffer.byteLength(this.lines.join(""));
  }

  add(lines: readonly string[]): void {
    if (Buffer.byteLength(lines.join("")) > this.#capacity) this.dropped += lines.length;
    else this.lines.push(...lines);
    while (this.bytes > this.#capacity) {
      this.lines.shift();
      this.dropped += 1;
    }
  }

  take(maxBytes: number): string {
    let taken = "";
    while (this.lines.length > 0 && (taken === "" || fits(taken + this.lines[0]!, maxBytes))) {
      taken += this.lines.shift()!;
    }
    return taken;
  }
}

function fits(text: string, maxBytes: number): boolean {
  return Buffer.byteLength(text) <= maxBytes;
}

test("whatever is added and taken, it does what a list of lines would do", () => {
  const line = fc.stringMatching(/^[aü]{0,20}$/).map((text) => `${text}\n`);
  const step = fc.oneof(
    fc.array(line, { minLength: 1, maxLength: 5 }),
    fc.integer({ min: 1, max: 60 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const backlog = new LogBacklog(64);
      const model = new Model(64);
      for (const each of steps) {
        if (typeof each === "number") {
          expect(backlog.take(each).toString()).toBe(model.take(each));
        } else {
          backlog.add(each.join(""));
          model.add(each);
        }
        expect([backlog.bytes, backlog.droppedLines]).toEqual([model.bytes, model.dropped]);
      }
    }),
    { numRuns: 500 },
  );
});

test("the first whole lines of some are at least one", () => {
  const lines = Buffer.from("one\ntwo\nthree\n");
  expect(wholeLines(lines, 100).toString()).toBe("one\ntwo\nthree\n");
  expect(wholeLines(lines, 8).toString()).toBe("one\ntwo\n");
  expect(wholeLines(lines, 7).toString()).toBe("one\n");
  expect(wholeLines(lines, 1).toString()).toBe("one\n");
  expect(countLines(lines)).toBe(3);
});
