import { describe, expect, test } from "vitest";
import { FairShare } from "../../../src/admission/fair-share.ts";

const usage = (promptTokens: number | null, completionTokens: number | null) => ({
  promptTokens,
  completionTokens,
});

/** What requests cost until something was measured. */
const FIRST_COST = 500;

describe("what a user was served", () => {
  test("is charged at the start, and corrected by what it really was: generated tokens count twice", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice", "m");
    const charged = fairShare.charge(alice);
    expect([alice.served, alice.running]).toEqual([FIRST_COST, 1]);
    fairShare.settle(alice, charged, usage(100, 30));
    expect([alice.served, alice.running]).toEqual([160, 0]);
  });

  test("counts the one figure that the worker told, where the other is missing", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice", "m");
    fairShare.settle(alice, fairShare.charge(alice), usage(70, null));
    expect(alice.served).toBe(70);
  });

  test.each([null, usage(null, null)])("stands as charged where nobody knows (%o)", (unknown) => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice", "m");
    fairShare.settle(alice, fairShare.charge(alice), unknown);
    expect([alice.served, alice.running, fairShare.meanTokens]).toEqual([FIRST_COST, 0, 300]);
  });

  test("is nothing for what failed, which does not make requests look cheap either", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice", "m");
    fairShare.settle(alice, fairShare.charge(alice), usage(0, 0));
    expect(alice.served).toBe(0);
    expect(fairShare.charge(alice)).toBe(FIRST_COST);
  });

  test("is taken back by what was charged, though the mean has moved meanwhile", () => {
    const fairShare = new FairShare();
    const [alice, bob] = [fairShare.of("alice", "m"), fairShare.of("bob", "m")];
    const charged = fairShare.charge(alice);
    fairShare.settle(bob, fairShare.charge(bob), usage(10_000, 10_000));
    fairShare.settle(alice, charged, usage(0, 0));
    expect(alice.served).toBe(0);
  });
});

test("what requests cost on average follows what they cost of late", () => {
  const fairShare = new FairShare();
  const alice = fairShare.of("alice", "m");
  for (let i = 0; i < 200; i++) fairShare.settle(alice, fairShare.charge(alice), usage(1000, 500));
  expect(fairShare.meanTokens).toBeCloseTo(1500, -1);
  expect(fairShare.charge(alice)).toBeCloseTo(2000, -1);
});

describe("a user who begins to wait", () => {
  function createUsers() {
    const fairShare = new FairShare();
    const [alice, bob, carol] = ["alice", "bob", "carol"].map((user) => fairShare.of(user, "m"));
    return { fairShare, alice: alice!, bob: bob!, carol: carol! };
  }

  test("begins with the least served of those who wait: being away earns nothing", () => {
    const { fairShare, alice, bob } = createUsers();
    bob.served = 7000;
    fairShare.lift(alice, bob, 0);
    expect(alice.served).toBe(7000);
  });

  test("but for a head start of so many turns", () => {
    const { fairShare, alice, bob } = createUsers();
    bob.served = 7000;
    fairShare.lift(alice, bob, 3);
    expect(alice.served).toBe(7000 - 3 * FIRST_COST);
  });

  test("has no head start before another's", () => {
    const { fairShare, alice, bob, carol } = createUsers();
    bob.served = 7000;
    fairShare.lift(alice, bob, 3);
    fairShare.lift(carol, alice, 3);
    expect(carol.served).toBe(alice.served);
  });

  test("loses nothing to those who were served less", () => {
    const { fairShare, alice, bob } = createUsers();
    fairShare.charge(alice);
    bob.served = 10;
    fairShare.lift(alice, bob, 0);
    expect(alice.served).toBe(FIRST_COST);
  });

  test("begins, where nobody waits, with who was served most", () => {
    const { fairShare, alice, bob, carol } = createUsers();
    fairShare.charge(bob);
    fairShare.charge(bob);
    fairShare.charge(carol);
    fairShare.lift(alice, null, 0);
    expect(alice.served).toBe(FIRST_COST);
  });
});

test("each model counts by itself", () => {
  const fairShare = new FairShare();
  const [here, there] = [fairShare.of("alice", "m"), fairShare.of("alice", "n")];
  for (let i = 0; i < 100; i++) fairShare.settle(here, fairShare.charge(here), usage(9000, 0));
  expect(there.served).toBe(0);
  expect(fairShare.charge(there)).toBe(FIRST_COST);
  expect(fairShare.of("alice", "n")).toBe(there);
});

test("users are remembered while they run or wait, and forgotten once there are too many", () => {
  const fairShare = new FairShare();
  const [running, waiting, idle] = ["running", "waiting", "idle"].map((user) =>
    fairShare.of(user, "m"),
  );
  fairShare.charge(running!);
  waiting!.waiting = 1;
  for (let i = 0; i < 10_000; i++) fairShare.of(`user-${i}`, "m");
  expect(fairShare.of("running", "m")).toBe(running);
  expect(fairShare.of("waiting", "m")).toBe(waiting);
  expect(fairShare.of("idle", "m")).not.toBe(idle);
});

test("models are forgotten once there are too many, and nobody waits for or runs them", () => {
  const fairShare = new FairShare();
  const kept = fairShare.of("alice", "kept");
  fairShare.charge(kept);
  const idle = fairShare.of("alice", "idle");
  for (let i = 0; i < 1000; i++) fairShare.of("alice", `model-${i}`);
  expect(fairShare.of("alice", "kept")).toBe(kept);
  expect(fairShare.of("alice", "idle")).not.toBe(idle);
});
