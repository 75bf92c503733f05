import { describe, expect, test } from "vitest";
import { MIN_REQUESTS, WINDOW_MS, wilsonLowerBound } from "../../../src/failures/evidence.ts";
import { COOLDOWN_MS, createTrial } from "./cooldown-setup.ts";

describe("failures in a row", () => {
  test("of the connection take a worker out at the third", () => {
    const { cooldowns, tries, changes } = createTrial();
    tries("connection", 2);
    expect(cooldowns.blocks(0)).toBe(false);
    tries("connection", 1);
    expect(cooldowns.blocks(0)).toBe(true);
    const reason = "3 connections in a row failed: it broke";
    const untilMs = COOLDOWN_MS;
    expect(changes).toEqual([{ workerIndex: 0, kind: "cooling", reason, untilMs }]);
    expect(cooldowns.describe(0)).toEqual({ state: "cooling", reason, untilMs });
  });

  test("of any kind take it out at the fifth", () => {
    const { cooldowns, tries } = createTrial();
    tries("failure", 2);
    tries("connection", 2);
    expect(cooldowns.blocks(0)).toBe(false);
    tries("failure", 1);
    expect(cooldowns.describe(0)?.reason).toBe("5 requests in a row failed: it broke");
  });

  test("are in a row no more once one succeeds", () => {
    const { cooldowns, tries } = createTrial();
    for (let round = 0; round < 3; round++) {
      tries("failure", 4);
      tries("success", 1);
    }
    tries("connection", 2);
    tries("failure", 1);
    tries("connection", 1);
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("stay in a row across ends that say nothing", () => {
    const { cooldowns, tries } = createTrial();
    tries("failure", 4);
    tries("neutral", 50);
    tries("failure", 1);
    expect(cooldowns.blocks(0)).toBe(true);
  });

  test("are each worker's own", () => {
    const { cooldowns, tries } = createTrial();
    tries("failure", 4, 0);
    tries("failure", 5, 1);
    expect([cooldowns.blocks(0), cooldowns.blocks(1), cooldowns.blocks(2)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(cooldowns.describe(0)).toBeNull();
    expect(cooldowns.describe(2)).toBeNull();
  });
});

describe("failures that a request had on every worker", () => {
  test("take a worker out at the tenth in a row", () => {
    const { cooldowns, tries } = createTrial();
    tries("shared", 9);
    expect(cooldowns.blocks(0)).toBe(false);
    tries("shared", 1);
    expect(cooldowns.describe(0)?.reason).toContain("requests in a row failed: it broke");
  });

  test("weigh half among the worker's own", () => {
    const { cooldowns, tries } = createTrial();
    tries("failure", 4);
    tries("shared", 1);
    expect(cooldowns.blocks(0)).toBe(false);
    tries("shared", 1);
    expect(cooldowns.blocks(0)).toBe(true);
  });

  test("are in a row no more once one request succeeds", () => {
    const { cooldowns, tries } = createTrial();
    for (let round = 0; round < 20; round++) {
      tries("shared", 9);
      tries("success", 1);
    }
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("have no part in the share", () => {
    const { cooldowns, tries } = createTrial();
    tries("success", 1);
    tries("shared", 9);
    expect(cooldowns.errorRate(0)).toBe(0);
  });
});

describe("the share of failures in a minute", () => {
  /** As many failures as asked for among `total`, never five in a row. */
  const mixed = (failures: number, total: number) => {
    const trial = createTrial();
    const every = Math.floor(total / failures);
    for (let at = 1; at <= total; at++) {
      trial.tries(at % every === 0 && at / every <= failures ? "failure" : "success", 1);
    }
    return trial;
  };

  test(`says nothing before ${MIN_REQUESTS} requests`, () => {
    const { cooldowns, tries } = mixed(9, 19);
    expect(cooldowns.blocks(0)).toBe(false);
    tries("failure", 1);
    expect(cooldowns.describe(0)?.reason).toBe("10 of 20 requests failed in a minute: it broke");
  });

  test("must be above the threshold beyond reasonable doubt, not merely above it", () => {
    expect(mixed(5, 20).cooldowns.blocks(0)).toBe(false);
    expect(mixed(20, 100).cooldowns.blocks(0)).toBe(false);
    expect(mixed(25, 100).cooldowns.blocks(0)).toBe(true);
  });

  test("is compared with the configured threshold", () => {
    const { cooldowns, tries } = createTrial({ errorThreshold: 0.5 });
    for (let round = 0; round < 50; round++) {
      tries("failure", 1);
      tries("success", 1);
    }
    expect(cooldowns.blocks(0)).toBe(false);
  });

  test("forgets what is more than a minute old", () => {
    const { clock, cooldowns, tries } = createTrial();
    const failHalfOfSix = (): void => {
      tries("failure", 3);
      tries("success", 3);
    };
    failHalfOfSix();
    clock.advance(WINDOW_MS);
    failHalfOfSix();
    clock.advance(WINDOW_MS);
    for (let round = 0; round < 3; round++) failHalfOfSix();
    expect(cooldowns.blocks(0)).toBe(false);
    expect(cooldowns.errorRate(0)).toBe(0.5);
    tries("success", 1);
    tries("failure", 1);
    expect(cooldowns.blocks(0)).toBe(true);
  });

  test("slides: what is younger than 50 s still counts", () => {
    const { clock, cooldowns, tries } = createTrial();
    tries("failure", 4);
    tries("success", 12);
    clock.advance(49_999);
    expect(cooldowns.errorRate(0)).toBe(0.25);
    tries("success", 4);
    expect(cooldowns.errorRate(0)).toBe(0.2);
    clock.advance(10_001);
    expect(cooldowns.errorRate(0)).toBe(0);
  });
});

describe("the error rate", () => {
  test("is 0 for a worker that had no request", () => {
    const { cooldowns, tries } = createTrial();
    expect(cooldowns.errorRate(0)).toBe(0);
    tries("neutral", 3);
    expect(cooldowns.errorRate(0)).toBe(0);
  });

  test("is the share of failures, neutral ends left out", () => {
    const { cooldowns, tries } = createTrial();
    tries("success", 3);
    tries("neutral", 9);
    tries("connection", 1);
    expect(cooldowns.errorRate(0)).toBe(0.25);
  });

  test("still tells the last minute's truth while the worker cools", () => {
    const { clock, cooldowns, tries } = createTrial();
    tries("failure", 5);
    expect(cooldowns.errorRate(0)).toBe(1);
    clock.advance(WINDOW_MS);
    expect(cooldowns.errorRate(0)).toBe(0);
  });
});

describe("Wilson's lower bound", () => {
  test("is what the tables say", () => {
    expect(wilsonLowerBound(10, 20, 1.96)).toBeCloseTo(0.2993, 4);
    expect(wilsonLowerBound(1, 10, 1.96)).toBeCloseTo(0.0179, 4);
    expect(wilsonLowerBound(50, 100, 2.58)).toBeCloseTo(0.3751, 4);
  });

  test("is 0 without failures, and below the share with few requests", () => {
    expect(wilsonLowerBound(0, 0, 2.58)).toBe(0);
    expect(wilsonLowerBound(0, 100, 2.58)).toBe(0);
    expect(wilsonLowerBound(3, 3, 2.58)).toBeLessThan(0.5);
  });
});
