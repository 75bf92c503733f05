import { describe, expect, test } from "vitest";
import type { QuotaStore } from "../../../src/admission/quota-store.ts";
import { DEFAULTS, SENT, setUp, UNSENT } from "./quota-setup.ts";

/** As a store that several routers share: what it says comes in a later tick. */
function setUpShared(limits: Partial<typeof DEFAULTS> | { tokenLimit: number } = {}) {
  return setUp({
    defaults: limits,
    store: (memory): QuotaStore => ({
      take: async (user, units, all) => {
        await Promise.resolve();
        return memory.take(user, units, all);
      },
      settle: (user, settlement) => memory.settle(user, settlement),
      usage: (user) => memory.usage(user),
    }),
  });
}

describe("a store that answers with a promise", () => {
  test("reserves once it has answered; the end gives back as ever", async () => {
    const { quotas } = setUpShared();
    const asked = quotas.reserve("alice", 0);
    expect(asked).toBeInstanceOf(Promise);
    expect(quotas.openCount).toBe(0);
    const reservation = await asked;
    expect([quotas.openCount, quotas.usageOf("alice").requests]).toEqual([1, 1]);
    reservation.end(UNSENT);
    expect([quotas.openCount, quotas.usageOf("alice").requests]).toEqual([0, 0]);
  });

  test("holds the estimate of each request, and counts what it used for the right user", async () => {
    const { quotas } = setUpShared({ tokenLimit: 100 });
    const one = await quotas.reserve("alice", 30);
    const [two, three] = await quotas.reserveMany("alice", [20, 10]);
    expect(quotas.usageOf("alice")).toMatchObject({ requests: 3, tokens: 0, tokensHeld: 60 });
    expect(quotas.openCount).toBe(3);
    one.end({ sent: true, tokens: 7 });
    expect(quotas.usageOf("alice")).toMatchObject({ tokens: 7, tokensHeld: 30 });
    two!.end(SENT);
    expect(quotas.usageOf("alice")).toMatchObject({ tokens: 27, tokensHeld: 10 });
    three!.end(UNSENT);
    expect(quotas.usageOf("alice")).toMatchObject({ requests: 2, tokens: 27, tokensHeld: 0 });
    expect(quotas.usageOf("bob").tokens).toBe(0);
    expect(quotas.openCount).toBe(0);
  });

  test("rejects with what a refusal says, one request or a batch, and holds nothing", async () => {
    const { quotas } = setUpShared();
    await quotas.reserveMany("alice", [0, 0, 0, 0]);
    const refusal = { code: "QUOTA_EXCEEDED", param: "request_limit" };
    await expect(quotas.reserveMany("alice", [0, 0])).rejects.toMatchObject(refusal);
    await quotas.reserve("alice", 0);
    await expect(quotas.reserve("alice", 0)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringMatching(
        /^alice has used 5 of request_limit 5 in 60 s: wait /,
      ) as string,
    });
    expect(quotas.openCount).toBe(5);
  });

  test("is not asked about a batch that could never pass", () => {
    const { quotas } = setUpShared();
    expect(() => quotas.reserveMany("alice", [0, 0, 0, 0, 0, 0])).toThrow("split it");
  });
});

describe("what is told of limits", () => {
  const given = (limits: object) => ({ limits, expiresAtWallMs: null });

  test.each([
    ["default", "user_quota_manager.default_token_limit, or an entry in users"],
    ["config", "users[].token_limit"],
    ["override", "PUT /api/v1/quotas/alice"],
  ])("tokens used up name their own limit, and where the %s one is raised", (source, key) => {
    const limits = given({ tokenLimit: 10 });
    const config = source === "config" ? { alice: limits } : {};
    const { quotas } = setUp({
      defaults: { tokenLimit: source === "default" ? 10 : null },
      config,
    });
    if (source === "override") quotas.setOverride("alice", limits);
    const reservation = quotas.reserve("alice", 4);
    if (reservation instanceof Promise) throw new Error("the store did not answer at once");
    reservation.end({ sent: true, tokens: 12 });
    expect(() => quotas.reserve("alice", 4)).toThrow(
      `alice has used 12 of token_limit 10 in 60 s: wait 61 s, or have it raised (${key})`,
    );
  });

  test("where no wait helps, none is named", () => {
    const { quotas } = setUp({ defaults: { requestLimit: 0 } });
    expect(() => quotas.reserve("alice", 0)).toThrow(
      "alice has used 0 of request_limit 0 in 60 s: have it raised " +
        "(user_quota_manager.default_request_limit, or an entry in users)",
    );
  });

  test("limits and their sources follow an override, its end, and another config", () => {
    const { quotas } = setUp();
    quotas.setOverride("alice", given({ requestLimit: 50 }));
    expect(quotas.limitsOf("alice").requestLimit).toBe(50);
    expect(quotas.sourcesOf("alice").requestLimit).toBe("override");
    quotas.clearOverride("alice");
    expect(quotas.limitsOf("alice").requestLimit).toBe(DEFAULTS.requestLimit);
    quotas.reconfigure({ defaults: { ...DEFAULTS, requestLimit: 9 }, config: new Map() });
    expect(quotas.limitsOf("alice").requestLimit).toBe(9);
    expect(quotas.sourcesOf("alice").requestLimit).toBe("default");
  });
});
