import { describe, expect, test } from "vitest";
import { queueFullError, QueueRoom } from "../../../src/admission/queue-room.ts";

function createRoom() {
  const room = new QueueRoom(() => ({ maxRequests: 10, maxBytes: 1000, userShare: 0.3 }));
  const occupant = (user: string, bytes = 1, band = 3) => ({ user, bytes, band });
  const fill = (user: string, requests: number, bytes = 1) => {
    for (let i = 0; i < requests; i++) room.enter(occupant(user, bytes));
  };
  const lack = (user: string, requests = 1, bytes = 1) => room.lack(user, requests, bytes);
  return { room, occupant, fill, lack };
}

describe("room in the queue", () => {
  test("is counted by requests, bytes and bands, and given back", () => {
    const { room, occupant } = createRoom();
    const [first, second] = [occupant("alice", 100, 5), occupant("alice", 20, 2)];
    room.enter(first);
    room.enter(second);
    expect([room.size, room.bytes, room.sizeOfBand(5), room.sizeOfBand(2)]).toEqual([2, 120, 1, 1]);
    room.leave(first);
    expect([room.size, room.bytes, room.sizeOfBand(5), room.sizeOfBand(2)]).toEqual([1, 20, 0, 1]);
    room.leave(second);
    expect([room.size, room.bytes]).toEqual([0, 0]);
  });

  test("ends at queue.max_requests for everyone", () => {
    const { fill, lack } = createRoom();
    for (const user of ["a", "b", "c"]) fill(user, 3);
    expect(lack("d")).toBeNull();
    expect(lack("d", 2)).toBe("9 of 10 requests wait (queue.max_requests)");
    fill("d", 1);
    expect(lack("e")).toBe("10 of 10 requests wait (queue.max_requests)");
  });

  test("ends at queue.max_mb, whoever asks", () => {
    const { fill, lack } = createRoom();
    for (const user of ["a", "b", "c"]) fill(user, 1, 300);
    expect(lack("d", 1, 100)).toBeNull();
    expect(lack("d", 1, 101)).toBe("the bodies of what waits fill queue.max_mb");
  });

  test("ends for one user at their share, and others still have room", () => {
    const { fill, lack } = createRoom();
    fill("alice", 3);
    expect(lack("alice")).toBe("3 requests wait, the share of alice (queue.user_share)");
    expect(lack("bob")).toBeNull();
  });

  test("ends for one user at their share of the bytes, and others still have room", () => {
    const { fill, lack } = createRoom();
    fill("alice", 1, 300);
    expect(lack("alice", 1, 0)).toBeNull();
    expect(lack("alice", 1, 1)).toBe(
      "the bodies of what waits fill the share of alice (queue.user_share)",
    );
    expect(lack("bob", 1, 300)).toBeNull();
  });

  test("is a user's again when theirs have left", () => {
    const { room, occupant, lack } = createRoom();
    const all = [occupant("alice", 100), occupant("alice", 100), occupant("alice", 100)];
    for (const one of all) room.enter(one);
    expect(lack("alice")).not.toBeNull();
    room.leave(all[0]!);
    expect(lack("alice", 1, 100)).toBeNull();
    expect(lack("alice", 1, 101)).toContain("the bodies");
  });

  test("is there for one request that is larger than the share, or it would never be let in", () => {
    const { lack } = createRoom();
    expect(lack("alice", 1, 900)).toBeNull();
    expect(lack("alice", 2, 900)).toContain("queue.user_share");
  });

  test("is there for one request of each user, however small the share", () => {
    const room = new QueueRoom(() => ({ maxRequests: 10, maxBytes: 1000, userShare: 0.001 }));
    expect(room.lack("alice", 1, 1)).toBeNull();
    expect(room.lack("alice", 2, 2)).toContain("the share of alice");
  });
});

describe("the refusal of a full queue", () => {
  test("says what is full, and when a place will be free", () => {
    const error = queueFullError("nothing fits", 12_345);
    expect(error).toMatchObject({ code: "QUEUE_FULL", retryAfterMs: 12_345 });
    expect(error.message).toBe("the queue is full: nothing fits");
  });

  test.each([
    { placeFreeInMs: 3, retryAfterMs: 1000 },
    { placeFreeInMs: Infinity, retryAfterMs: 60_000 },
  ])("asks to retry in $retryAfterMs ms where a place is free in $placeFreeInMs ms", (terms) => {
    const error = queueFullError("it", terms.placeFreeInMs);
    expect(error.retryAfterMs).toBe(terms.retryAfterMs);
  });
});
