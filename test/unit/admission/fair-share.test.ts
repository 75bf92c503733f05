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
    const alice = fairShare.of("alice");
    const charged = fairShare.charge(alice);
    expect([alice.served, alice.running]).toEqual([FIRST_COST, 1]);
    fairShare.settle(alice, charged, usage(100, 30));
    expect([alice.served, alice.running]).toEqual([160, 0]);
  });

  test("counts the one figure that the worker told, where the other is missing", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice");
    fairShare.settle(alice, fairShare.charge(alice), usage(70, null));
    expect(alice.served).toBe(70);
  });

  test.each([null, usage(null, null)])("stands as charged where nobody knows (%o)", (unknown) => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice");
    fairShare.settle(alice, fairShare.charge(alice), unknown);
    expect([alice.served, alice.running, fairShare.meanTokens]).toEqual([FIRST_COST, 0, 300]);
  });

  test("is nothing for what failed, which does not make requests look cheap either", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice");
    fairShare.settle(alice, fairShare.charge(alice), usage(0, 0));
    expect(alice.served).toBe(0);
    expect(fairShare.charge(alice)).toBe(FIRST_COST);
  });

  test("is taken back by what was charged, though the mean has moved meanwhile", () => {
    const fairShare = new FairShare();
    const [alice, bob] = [fairShare.of("alice"), fairShare.of("bob")];
    const charged = fairShare.charge(alice);
    fairShare.settle(bob, fairShare.charge(bob), usage(10_000, 10_000));
    fairShare.settle(alice, charged, usage(0, 0));
    expect(alice.served).toBe(0);
  });
});

test("what requests cost on average follows what they cost of late", () => {
  const fairShare = new FairShare();
  const alice = fairShare.of("alice");
  for (let i = 0; i < 200; i++) fairShare.settle(alice, fairShare.charge(alice), usage(1000, 500));
  expect(fairShare.meanTokens).toBeCloseTo(1500, -1);
  expect(fairShare.charge(alice)).toBeCloseTo(2000, -1);
});

describe("a user who begins to wait", () => {
  test("begins with the least served of those who wait: being away earns nothing", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice");
    fairShare.lift(alice, 7000);
    expect(alice.served).toBe(7000);
  });

  test("loses nothing to those who were served less", () => {
    const fairShare = new FairShare();
    const alice = fairShare.of("alice");
    fairShare.charge(alice);
    fairShare.lift(alice, 10);
    expect(alice.served).toBe(FIRST_COST);
  });

  test("begins, where nobody waits, with who was served last", () => {
    const fairShare = new FairShare();
    const bob = fairShare.of("bob");
    fairShare.charge(bob);
    fairShare.charge(bob);
    const alice = fairShare.of("alice");
    fairShare.lift(alice, null);
    expect(alice.served).toBe(2 * FIRST_COST);
  });
});

test("users are remembered while they run or wait, and forgotten once there are too many", () => {
  const fairShare = new FairShare();
  const [running, waiting, idle] = ["running", "waiting", "idle"].map((user) => fairShare.of(user));
  fairShare.charge(running!);
  waiting!.waiting = 1;
  for (let i = 0; i < 10_000; i++) fairShare.of(`user-${i}`);
  expect(fairShare.of("running")).toBe(running);
  expect(fairShare.of("waiting")).toBe(waiting);
  expect(fairShare.of("idle")).not.toBe(idle);
});
