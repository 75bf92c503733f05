import { describe, expect, test } from "vitest";
import type { Cooldown } from "../../../../src/failures/cooldown-view.ts";
import { cooldown } from "../../../../src/routing/filters/cooldown.ts";
import { freeSlot } from "../../../../src/routing/filters/free-slot.ts";
import { forNow, verdict, type Case } from "./verdict.ts";

describe("cooldown", () => {
  const cooling = (untilMs: number, blocks = true, state: Cooldown["state"] = "cooling"): Case => ({
    moment: {
      nowMs: 1000,
      cooldowns: { 0: { state, reason: "5 in a row failed", untilMs, blocks } },
    },
  });

  test("tells how long it still takes, and why", () => {
    expect(verdict(cooldown)).toBeNull();
    expect(verdict(cooldown, cooling(61_001))).toEqual(
      forNow("cooling down for 61 s more: 5 in a row failed"),
    );
  });

  test("tells that the probe is under way when the time is over", () => {
    expect(verdict(cooldown, cooling(1000, true, "probing"))?.reason).toBe(
      "waiting for its probe to answer: 5 in a row failed",
    );
  });

  test("tells that the worker is paused", () => {
    expect(verdict(cooldown, cooling(1000, true, "paused"))?.reason).toMatch(
      /^paused for \d+ s more: 5 in a row failed$/,
    );
  });

  test("lets the probe pass", () => {
    expect(verdict(cooldown, cooling(500, false))).toBeNull();
  });
});

test("free_slot rejects for now who holds as many of our leases as it has slots", () => {
  const holding = (leases: number): Case => ({
    worker: { slots: 2 },
    moment: { own: { 0: leases } },
  });
  expect(verdict(freeSlot, holding(1))).toBeNull();
  expect(verdict(freeSlot, holding(2))).toEqual(forNow("all slots are taken (2 of 2)"));
  expect(verdict(freeSlot, holding(3))?.reason).toBe("all slots are taken (3 of 2)");
});

test("free_slot gives a worker that warms up no more than its slow start does", () => {
  const cooldowns = { 0: { reason: "back", untilMs: 9, blocks: false, slots: 4 } };
  const holding = (leases: number): Case => ({
    worker: { slots: 16 },
    moment: { own: { 0: leases }, cooldowns },
  });
  expect(verdict(freeSlot, holding(3))).toBeNull();
  expect(verdict(freeSlot, holding(4))?.reason).toBe(
    "all slots are taken (4 of 16, 4 for now: it warms up after its cooldown)",
  );
});
