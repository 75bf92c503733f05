import { describe, expect, test } from "vitest";
import type { Waiter } from "../../../src/admission/place.ts";
import { RouterError } from "../../../src/errors.ts";
import { createQueue } from "./queue-setup.ts";

function errorOf(action: () => unknown): RouterError | null {
  try {
    action();
    return null;
  } catch (error) {
    if (error instanceof RouterError) return error;
    throw error;
  }
}

describe("a wait", () => {
  test("ends with a slot, once, and others go on waiting", () => {
    const { queue, ended, wait, free } = createQueue();
    wait("a1");
    wait("b1");
    free();
    expect([ended, queue.size]).toEqual([["a1 placed"], 1]);
    free();
    expect([ended, queue.size]).toEqual([["a1 placed", "b1 placed"], 0]);
  });

  test("ends at its deadline, at the next tick at the latest", () => {
    const { clock, queue, ended, wait, free } = createQueue();
    wait("a1", { deadlineAtMs: 5050 });
    clock.advance(5049);
    expect(ended).toEqual([]);
    clock.advance(51);
    expect([ended, queue.size]).toEqual([["a1 expired"], 0]);
    free();
    expect(ended).toHaveLength(1);
  });

  test("ends at once when the client leaves, and leaving again does nothing", () => {
    const { queue, ended, wait, free } = createQueue();
    const waiter = wait("a1");
    waiter.leave();
    waiter.leave();
    expect([ended, queue.size]).toEqual([["a1 left"], 0]);
    free();
    waiter.leave();
    expect(ended).toEqual(["a1 left"]);
  });

  test("leaves no timer behind, however it ends", () => {
    const { clock, wait, free } = createQueue();
    const [, left] = [wait("a1"), wait("b1"), wait("c1", { deadlineAtMs: 1000 })];
    free();
    left.leave();
    clock.advance(1100);
    expect(clock.pendingTimers).toBe(0);
  });

  test("ends where waiting cannot help any more", () => {
    const { queue, ended, wait } = createQueue();
    wait("a1", { place: () => "never" });
    queue.pump({ alsoParked: false });
    expect(ended).toEqual(["a1 never"]);
  });

  test("may end because another's end makes its client leave", () => {
    const { ended, placed, wait, free } = createQueue();
    let second: Waiter | null = null;
    wait("a1", { onEnd: () => second?.leave() });
    second = wait("a2");
    free(2);
    expect([placed, ended]).toEqual([["a1"], ["a2 left"]]);
  });

  test("is not harmed by another's defect", () => {
    const { queue, placed, wait, free } = createQueue();
    const broken = wait("a1", {
      place() {
        throw new Error("a defect");
      },
    });
    wait("b1");
    expect(() => free()).toThrow("a defect");
    broken.leave();
    queue.pump({ alsoParked: false });
    expect(placed).toEqual(["b1"]);
  });
});

describe("whose turn it is", () => {
  test("is asked class by class: one that finds no slot holds up no other", () => {
    const { queue, placed, wait, free } = createQueue();
    wait("a1", { classKey: "other", band: 5, place: () => "no_slot" });
    wait("b1");
    free();
    expect(placed).toEqual(["b1"]);
    expect(queue.isOpenFor("other")).toBe(false);
    expect(queue.isOpenFor("class")).toBe(true);
  });

  test("is asked only of those whose model the free worker serves", () => {
    const { queue, wait, free } = createQueue();
    let asked = 0;
    const place = () => {
      asked += 1;
      return "no_slot" as const;
    };
    wait("a1", { classKey: "other", model: "n", place });
    free();
    expect(asked).toBe(0);
    queue.pump({ alsoParked: false });
    expect(asked).toBe(1);
  });

  test("is by user limits, too: one at theirs stands in nobody's way, until their place is free", () => {
    const { queue, placed, wait, free } = createQueue();
    let atLimit = true;
    wait("a1", {
      atUserLimit: true,
      place() {
        if (atLimit) return "user_limit";
        placed.push("a1");
        return "placed";
      },
    });
    expect(queue.isOpenFor("class")).toBe(true);
    wait("b1");
    expect(queue.isOpenFor("class")).toBe(false);
    free();
    atLimit = false;
    queue.pump({ alsoParked: false });
    expect(placed).toEqual(["b1"]);
  });
});

describe("a full queue", () => {
  test("refuses with the time until a place is free, at the pace of late", () => {
    const { clock, queue, wait, free } = createQueue({ maxRequests: 5 });
    for (const name of ["a1", "b1", "c1", "d1", "e1"]) wait(name);
    expect(errorOf(() => wait("f1"))).toMatchObject({ code: "QUEUE_FULL", retryAfterMs: 60_000 });
    for (let i = 0; i < 4; i++) {
      clock.advance(7000);
      free();
    }
    for (const name of ["a2", "b2", "c2", "d2"]) wait(name);
    expect(errorOf(() => wait("f1"))).toMatchObject({ code: "QUEUE_FULL", retryAfterMs: 7000 });
    expect(queue.size).toBe(5);
  });

  test("knows no pace of those who have all gone", () => {
    const { clock, wait, free } = createQueue({ maxRequests: 4 });
    for (let i = 0; i < 4; i++) wait("a1");
    for (let i = 0; i < 4; i++) {
      clock.advance(2000);
      free();
    }
    for (let i = 0; i < 4; i++) wait("b1", { classKey: "other" });
    expect(errorOf(() => wait("c1"))?.retryAfterMs).toBe(60_000);
  });

  test("of one user's share still lets in others", () => {
    const { wait } = createQueue({ maxRequests: 10, userShare: 0.2 });
    wait("a1");
    wait("a2");
    expect(errorOf(() => wait("a3"))?.message).toContain("the share of a");
    expect(errorOf(() => wait("b1"))).toBeNull();
  });

  test("still lets in a further attempt, which was let in before", () => {
    const { queue, wait } = createQueue({ maxRequests: 1 });
    wait("a1");
    wait("b1", { isRetry: true });
    expect(queue.size).toBe(2);
  });

  test("says beforehand whether a batch would fit", () => {
    const { queue, wait } = createQueue({ maxRequests: 10, userShare: 0.5 });
    wait("a1");
    expect(errorOf(() => queue.checkRoom("a", 4, 4))).toBeNull();
    expect(errorOf(() => queue.checkRoom("a", 5, 5))?.code).toBe("QUEUE_FULL");
    expect(queue.size).toBe(1);
  });

  test("refuses a batch that could never wait whole, and says what could", () => {
    const { queue } = createQueue({ maxRequests: 10, userShare: 0.5 });
    expect(() => queue.checkRoomForBatch("a", 6, 6)).toThrow(/at most 5 with 500 bytes.*split it/);
    expect(() => queue.checkRoomForBatch("a", 2, 501)).toThrow(/split it/);
    expect(() => queue.checkRoomForBatch("a", 5, 500)).not.toThrow();
  });

  test("ends at 256 kinds of request, since each is asked for every free slot", () => {
    const { wait } = createQueue();
    const kinds = Array.from({ length: 256 }, (_, i) => ({ classKey: `class-${i}` }));
    for (const kind of kinds) wait("a1", kind);
    expect(() => wait("b1", { classKey: "another" })).toThrow(/256 kinds of request/);
    expect(() => wait("b1", kinds[0])).not.toThrow();
    expect(() => wait("b1", { classKey: "another", isRetry: true })).not.toThrow();
  });

  test("is what a queue of 0 requests is: nothing ever waits", () => {
    const { queue, wait } = createQueue({ maxRequests: 0 });
    expect(queue.isOn).toBe(false);
    expect(createQueue().queue.isOn).toBe(true);
    expect(errorOf(() => wait("a1"))?.code).toBe("QUEUE_FULL");
  });
});
