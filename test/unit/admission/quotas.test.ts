import { describe, expect, test } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import { reserve, reserveMany, SENT, setUp, SLICE_MS, UNSENT, WINDOW_MS } from "./quota-setup.ts";

function errorOf(run: () => unknown): RouterError {
  try {
    run();
  } catch (error) {
    if (error instanceof RouterError) return error;
  }
  throw new Error("it was not refused");
}

describe("a user's requests", () => {
  test("pass up to request_limit, and then are refused until the window has left the first", () => {
    const { quotas, clock } = setUp();
    for (let sent = 0; sent < 5; sent++) reserve(quotas, "alice").end(SENT);
    const error = errorOf(() => reserve(quotas, "alice"));
    expect(error).toMatchObject({ code: "QUOTA_EXCEEDED", status: 429, param: "request_limit" });
    clock.advance(error.retryAfterMs! - 1);
    expect(errorOf(() => reserve(quotas, "alice")).retryAfterMs).toBe(1);
    clock.advance(1);
    reserve(quotas, "alice");
  });

  test("count apart from those of other users", () => {
    const { quotas } = setUp({ defaults: { requestLimit: 1 } });
    reserve(quotas, "alice");
    reserve(quotas, "bob");
    expect(errorOf(() => reserve(quotas, "alice")).message).toMatch(/^alice /);
  });

  test("count for a whole window, and at most a sixtieth of it longer", () => {
    const { quotas, clock } = setUp({ defaults: { requestLimit: 1 } });
    clock.advance(SLICE_MS / 2);
    reserve(quotas, "alice");
    clock.advance(WINDOW_MS);
    errorOf(() => reserve(quotas, "alice"));
    clock.advance(SLICE_MS / 2);
    reserve(quotas, "alice");
  });

  test("are told for how long to wait, until as many as are asked for are free", () => {
    const { quotas, clock } = setUp({ defaults: { requestLimit: 3 } });
    reserve(quotas, "alice");
    clock.advance(10_000);
    reserveMany(quotas, "alice", [0, 0]);
    expect(errorOf(() => reserve(quotas, "alice")).retryAfterMs).toBe(51_000);
    expect(errorOf(() => reserveMany(quotas, "alice", [0, 0])).retryAfterMs).toBe(61_000);
  });

  test("of a user with a request_limit of 0 never pass, and no wait is promised", () => {
    const { quotas } = setUp({ defaults: { requestLimit: 0 } });
    const error = errorOf(() => reserve(quotas, "alice"));
    expect(error).toMatchObject({ code: "QUOTA_EXCEEDED", retryAfterMs: null });
  });

  test.each([
    ["default", "user_quota_manager.default_request_limit, or an entry in users"],
    ["config", "users[].request_limit"],
    ["override", "PUT /api/v1/quotas/alice"],
  ])("are refused with the key of the %s limit that would let them pass", (source, key) => {
    const given = { limits: { requestLimit: 1 }, expiresAtWallMs: null };
    const config = source === "config" ? { alice: given } : {};
    const { quotas } = setUp({ defaults: { requestLimit: 1 }, config });
    if (source === "override") quotas.setOverride("alice", given);
    reserve(quotas, "alice");
    expect(errorOf(() => reserve(quotas, "alice")).message).toBe(
      `alice has used 1 of request_limit 1 in 60 s: wait 61 s, or have it raised (${key})`,
    );
  });
});

describe("the end of a reservation", () => {
  test("gives the request back if nothing was sent", () => {
    const { quotas } = setUp({ defaults: { requestLimit: 1 } });
    reserve(quotas, "alice").end(UNSENT);
    expect(quotas.rateOf("alice").requests).toEqual({ limit: 1, remaining: 1, resetMs: 0 });
    reserve(quotas, "alice").end(SENT);
    errorOf(() => reserve(quotas, "alice"));
  });

  test("happens once: whatever comes later does nothing", () => {
    const { quotas } = setUp({ defaults: { requestLimit: 2 } });
    const [first, second] = [reserve(quotas, "alice"), reserve(quotas, "alice")];
    expect(quotas.openCount).toBe(2);
    first.end(SENT);
    first.end(UNSENT);
    second.end(UNSENT);
    second.end(UNSENT);
    expect(quotas.usageOf("alice").requests).toBe(1);
    expect(quotas.openCount).toBe(0);
  });

  test("gives nothing back of a window that is over", () => {
    const { quotas, clock } = setUp({ defaults: { requestLimit: 1 } });
    const old = reserve(quotas, "alice");
    clock.advance(WINDOW_MS + SLICE_MS);
    reserve(quotas, "alice");
    old.end(UNSENT);
    errorOf(() => reserve(quotas, "alice"));
  });
});

describe("a batch", () => {
  test("is taken whole, with a reservation for each of its requests, or not at all", () => {
    const { quotas } = setUp();
    const taken = reserveMany(quotas, "alice", [0, 0, 0]);
    expect(taken).toHaveLength(3);
    errorOf(() => reserveMany(quotas, "alice", [0, 0, 0]));
    expect(quotas.usageOf("alice").requests).toBe(3);
    reserveMany(quotas, "alice", [0, 0]);
    taken[1]?.end(UNSENT);
    expect(quotas.usageOf("alice").requests).toBe(4);
  });

  test("that is larger than the limit is a mistake, since it could never pass", () => {
    const { quotas } = setUp();
    const error = errorOf(() => reserveMany(quotas, "alice", [0, 0, 0, 0, 0, 0]));
    expect(error).toMatchObject({ code: "INVALID_REQUEST", param: "requests" });
    expect(error.message).toContain("alice's request_limit of 5: split it");
    const tight = setUp({ defaults: { tokenLimit: 100 } }).quotas;
    const tooLong = errorOf(() => reserveMany(tight, "alice", [60, 60]));
    expect(tooLong).toMatchObject({ code: "INVALID_REQUEST", param: "requests" });
    expect(tooLong.message).toContain("alice's token_limit of 100: split it");
  });
});

test("a batch that is as large as a limit passes, with or without tokens that are limited", () => {
  reserveMany(setUp().quotas, "alice", [9, 9, 9, 9, 9]);
  const limited = setUp({ defaults: { tokenLimit: 100 } }).quotas;
  expect(reserveMany(limited, "alice", [60, 40])).toHaveLength(2);
  expect(limited.usageOf("alice").tokensHeld).toBe(100);
});

describe("a user's tokens", () => {
  const limited = { defaults: { tokenLimit: 100, requestLimit: 1000 } };

  test("are held as estimated while a request runs, and count as reported once it ended", () => {
    const { quotas } = setUp(limited);
    const running = reserve(quotas, "alice", 60);
    const error = errorOf(() => reserve(quotas, "alice", 50));
    expect(error).toMatchObject({ code: "QUOTA_EXCEEDED", param: "token_limit" });
    expect(error.message).toContain("used 60 of token_limit 100");
    running.end({ sent: true, tokens: 10 });
    expect(quotas.usageOf("alice")).toMatchObject({ tokens: 10, tokensHeld: 0 });
    reserve(quotas, "alice", 90);
  });

  test.each([
    ["keep the estimate where the worker reported none", { sent: true, tokens: null }, 60],
    ["count as reported, even above the limit", { sent: true, tokens: 500 }, 500],
    ["come back if nothing was sent", { sent: false, tokens: null }, 0],
  ])("%s", (_, end, expected) => {
    const { quotas } = setUp(limited);
    const running = reserve(quotas, "alice", 60);
    running.end(end);
    running.end(end);
    expect(quotas.usageOf("alice")).toMatchObject({ tokens: expected, tokensHeld: 0 });
  });

  test("count in the window in which the request ended", () => {
    const { quotas, clock } = setUp(limited);
    const running = reserve(quotas, "alice", 100);
    clock.advance(10 * WINDOW_MS);
    running.end({ sent: true, tokens: 100 });
    const { retryAfterMs } = errorOf(() => reserve(quotas, "alice", 1));
    expect(retryAfterMs).toBe(WINDOW_MS + SLICE_MS);
    clock.advance(retryAfterMs!);
    reserve(quotas, "alice", 1);
  });

  test("that others of the user's requests hold may be free in the next moment", () => {
    const { quotas } = setUp(limited);
    reserve(quotas, "alice", 100);
    expect(errorOf(() => reserve(quotas, "alice", 1)).retryAfterMs).toBe(1_000);
  });

  test("let a request pass whose estimate is above the limit, while nothing else counts", () => {
    const { quotas } = setUp(limited);
    reserve(quotas, "alice", 5_000).end(UNSENT);
    reserve(quotas, "alice", 0);
    errorOf(() => reserve(quotas, "alice", 5_000));
  });

  test("stop a request without an estimate too, once they are used up", () => {
    const { quotas } = setUp(limited);
    reserve(quotas, "alice", 1).end({ sent: true, tokens: 100 });
    errorOf(() => reserve(quotas, "alice", 0));
  });

  test("are not counted where they are not limited", () => {
    const { quotas } = setUp();
    reserve(quotas, "alice", 60).end({ sent: true, tokens: 70 });
    expect(quotas.usageOf("alice")).toMatchObject({ tokens: 0, tokensHeld: 0 });
    expect(quotas.rateOf("alice").tokens).toBeNull();
  });
});

test("rates tell what is left, and when all of it is free again", () => {
  const { quotas, clock } = setUp({ defaults: { tokenLimit: 100 } });
  const nothing = { limit: 5, remaining: 5, resetMs: 0 };
  expect(quotas.rateOf("alice").requests).toEqual(nothing);
  reserve(quotas, "alice", 30);
  reserve(quotas, "alice", 50).end({ sent: true, tokens: 20 });
  clock.advance(5_000);
  expect(quotas.rateOf("alice")).toEqual({
    requests: { limit: 5, remaining: 3, resetMs: 56_000 },
    tokens: { limit: 100, remaining: 50, resetMs: 56_000 },
  });
  quotas.setOverride("alice", { limits: { requestLimit: 1 }, expiresAtWallMs: null });
  expect(quotas.rateOf("alice").requests).toMatchObject({ limit: 1, remaining: 0 });
});
