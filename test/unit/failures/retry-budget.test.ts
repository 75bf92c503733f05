import { describe, expect, test } from "vitest";
import { RetryBudget } from "../../../src/failures/retry-budget.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function createBudget() {
  const clock = new FakeClock();
  const budget = new RetryBudget(clock);
  /** Takes what is there; returns how many tokens that were. */
  const takeAll = (): number => {
    let taken = 0;
    while (budget.take()) taken += 1;
    return taken;
  };
  const accept = (requests: number): void => {
    for (let i = 0; i < requests; i++) budget.accepted();
  };
  return { clock, budget, takeAll, accept };
}

describe("the retry budget", () => {
  test("begins with 100 tokens, a retry each, and then gives none", () => {
    const { budget, takeAll } = createBudget();
    expect(takeAll()).toBe(100);
    expect(budget.take()).toBe(false);
    expect(budget.tokens).toBe(0);
  });

  test("gets 10 tokens a second by itself", () => {
    const { clock, takeAll } = createBudget();
    takeAll();
    clock.advance(99);
    expect(takeAll()).toBe(0);
    clock.advance(1);
    expect(takeAll()).toBe(1);
    clock.advance(2000);
    expect(takeAll()).toBe(20);
  });

  test("gets a fifth of a token with each accepted request", () => {
    const { takeAll, accept } = createBudget();
    takeAll();
    accept(4);
    expect(takeAll()).toBe(0);
    accept(1);
    expect(takeAll()).toBe(1);
  });

  test("saves 100 tokens at most where few requests come", () => {
    const { clock, accept, takeAll } = createBudget();
    clock.advance(3_600_000);
    accept(5);
    expect(takeAll()).toBe(100);
  });

  test("saves what 10 s bring where many come, and forgets that when they stop", () => {
    const { clock, budget, accept } = createBudget();
    for (let second = 0; second < 120; second++) {
      accept(200);
      clock.advance(1000);
    }
    accept(1);
    // 10 s of 200 requests with 0.2 each, and of the 10 a second.
    expect(budget.tokens).toBeCloseTo(500, 0);
    clock.advance(120_000);
    accept(1);
    expect(budget.tokens).toBeCloseTo(100, 0);
  });

  test("lets a fleet that only fails have 1.25 attempts a request at 200 a second", () => {
    const { clock, budget, accept, takeAll } = createBudget();
    takeAll();
    let retries = 0;
    for (let tick = 0; tick < 6000; tick++) {
      accept(2);
      clock.advance(10);
      while (budget.take()) retries += 1;
    }
    expect(1 + retries / 12_000).toBeCloseTo(1.25, 3);
  });
});
