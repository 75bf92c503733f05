import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { KIB, TAKEN, REFUSED, TOO_LARGE, failed, lines, openScene } from "./log-sender-scene.ts";
import type { Scene } from "./log-sender-scene.ts";

let scene: Scene;

beforeEach(() => {
  scene = openScene();
});

describe("batches", () => {
  test("what arrives within a second is sent together, and counted once it is taken", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 2));
    clock.advance(600);
    sender.add(lines(2, 3));
    clock.advance(399);
    expect(posts).toEqual([]);
    clock.advance(1);
    expect(posts).toEqual([{ atMs: 1000, first: 0, count: 3 }]);
    expect([sender.shippedLines, sender.waitingBytes]).toEqual([0, 3 * KIB]);
    await answer(TAKEN);
    expect([sender.shippedLines, sender.waitingBytes, sender.isDone]).toEqual([3, 0, true]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("half a mebibyte is sent at once, one batch at a time, and the rest a second later", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    sender.add(lines(512, 1034));
    expect(posts).toEqual([{ atMs: 0, first: 0, count: 512 }]);
    await answer(TAKEN);
    expect(posts[1]).toEqual({ atMs: 0, first: 512, count: 512 });
    await answer(TAKEN);
    expect(posts).toHaveLength(2);
    clock.advance(1000);
    expect(posts[2]).toEqual({ atMs: 1000, first: 1024, count: 10 });
  });
});

test("while nobody answers, the oldest that wait are dropped, but not those under way", async () => {
  scene = openScene({ capacity: 512 * KIB });
  const { sender, posts, answer, messages } = scene;
  sender.add(lines(0, 512));
  sender.add(lines(512, 1024));
  sender.add(lines(1024, 1224));
  expect([sender.droppedLines, sender.waitingBytes]).toEqual([200, 1024 * KIB]);
  expect(messages()).toEqual(["logging service failing"]);
  await answer(TAKEN);
  expect(posts[1]).toMatchObject({ first: 712, count: 512 });
  await answer(TAKEN);
  expect([sender.shippedLines, sender.droppedLines]).toEqual([1024, 200]);
});

describe("at the end", () => {
  test("all that waits is sent at once", async () => {
    const { sender, posts, answer } = scene;
    sender.add(lines(0, 3));
    sender.finish();
    expect(posts).toHaveLength(1);
    sender.add(lines(3, 4));
    await answer(TAKEN);
    expect(posts[1]).toMatchObject({ atMs: 0, first: 3 });
    expect(sender.isDone).toBe(false);
    await answer(TAKEN);
    expect([sender.isDone, sender.shippedLines]).toEqual([true, 4]);
  });

  test("a failure is tried once more, then what is left is dropped and counted", async () => {
    const { sender, clock, answer } = scene;
    sender.add(lines(0, 3));
    sender.finish();
    await answer(failed());
    expect(sender.isDone).toBe(false);
    clock.advance(500);
    await answer(failed());
    expect([sender.isDone, sender.droppedLines, sender.waitingBytes]).toEqual([true, 3, 0]);
  });

  test("who was failing before gets one try, without a wait", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    await answer(failed(30_000));
    sender.finish();
    expect(posts).toHaveLength(2);
    await answer(failed());
    expect([sender.isDone, sender.droppedLines]).toEqual([true, 512]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("what was being collected is dropped by the close, and its timer with it", () => {
    const { sender, clock, posts } = scene;
    sender.add(lines(0, 3));
    sender.close();
    expect([sender.droppedLines, clock.pendingTimers, posts]).toEqual([3, 0, []]);
  });

  test("after the close nothing is sent or kept, and each line is counted once", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    sender.add(lines(512, 515));
    sender.close();
    await answer(TAKEN);
    sender.add(lines(515, 517));
    clock.advance(60_000);
    expect(posts).toHaveLength(1);
    expect([sender.droppedLines, sender.shippedLines]).toEqual([517, 0]);
    expect([sender.isDone, sender.waitingBytes, clock.pendingTimers]).toEqual([true, 0, 0]);
  });
});

test("whatever the service answers, each line is shipped, dropped, or waits", async () => {
  const result = fc.constantFrom(TAKEN, TAKEN, REFUSED, TOO_LARGE, failed(), failed(3000));
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 700 }) }),
    fc.record({ result }),
    fc.record({ waitMs: fc.integer({ min: 1, max: 3000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { sender, clock, answer } = openScene({ capacity: 512 * KIB });
      let made = 0;
      for (const each of steps) {
        if ("add" in each) sender.add(lines(made, (made += each.add)));
        else if ("result" in each) await answer(each.result);
        else await clock.advanceAsync(each.waitMs);
        const waiting = sender.waitingBytes / KIB;
        expect(sender.shippedLines + sender.droppedLines + waiting).toBe(made);
      }
      // What waits is under way, or has its time.
      sender.finish();
      for (let turn = 0; turn < 100 && !sender.isDone; turn++) await answer(TAKEN);
      expect(sender.isDone).toBe(true);
    }),
    { numRuns: 200 },
  );
});
