import { expect, test } from "vitest";
import type { MemoryQuotaStore } from "../../../src/admission/memory-quota-store.ts";
import type { QuotaStore } from "../../../src/admission/quota-store.ts";
import type { Reservation } from "../../../src/admission/quotas.ts";
import { RouterError } from "../../../src/errors.ts";
import { SENT, setUp, UNSENT } from "./quota-setup.ts";

const RACING = 100_000;
const LIMIT = 40_000;

/** As a store on another machine: it takes in one step, and its answer comes later. */
function answeringLater(memory: MemoryQuotaStore): QuotaStore {
  return {
    take: async (user, units, limits) => {
      await Promise.resolve();
      const answer = memory.take(user, units, limits);
      await Promise.resolve();
      return answer;
    },
    settle: (user, settlement) => memory.settle(user, settlement),
    usage: (user) => memory.usage(user),
  };
}

test.each([
  ["at once", (memory: MemoryQuotaStore) => memory],
  ["later", answeringLater],
])(
  "of 1e5 requests that race for a store that answers %s, exactly the limit passes",
  async (_, store) => {
    const { quotas } = setUp({ defaults: { requestLimit: LIMIT }, store });
    let passed = 0;
    let refused = 0;
    const request = async (index: number): Promise<void> => {
      let held: Reservation;
      try {
        held = await quotas.reserve("alice", 0);
      } catch (error) {
        if (!(error instanceof RouterError) || error.code !== "QUOTA_EXCEEDED") throw error;
        refused += 1;
        return;
      }
      for (let tick = index % 3; tick > 0; tick--) await Promise.resolve();
      held.end(SENT);
      held.end(UNSENT);
      passed += 1;
    };
    await Promise.all(Array.from({ length: RACING }, (_one, index) => request(index)));
    expect({ passed, refused }).toEqual({ passed: LIMIT, refused: RACING - LIMIT });
    expect(quotas.usageOf("alice").requests).toBe(LIMIT);
    expect(quotas.openCount).toBe(0);
  },
);

test("batches that race take all of their units or none, whenever the store answers", async () => {
  const { quotas } = setUp({ defaults: { requestLimit: 1_000 }, store: answeringLater });
  const batches = Array.from({ length: 500 }, (_, index) => {
    const estimates = Array.from({ length: (index % 7) + 1 }, () => 0);
    return Promise.resolve(quotas.reserveMany("alice", estimates)).then(
      (taken) => {
        expect(taken).toHaveLength(estimates.length);
        return taken.length;
      },
      (error: unknown) => {
        expect(error).toMatchObject({ code: "QUOTA_EXCEEDED" });
        return 0;
      },
    );
  });
  const taken = (await Promise.all(batches)).reduce((sum, count) => sum + count, 0);
  expect(taken).toBe(1_000);
  expect(quotas.openCount).toBe(1_000);
});

test("nobody waits for a store that answers at once", () => {
  const { quotas } = setUp();
  expect(quotas.reserve("alice", 0)).not.toBeInstanceOf(Promise);
  expect(quotas.reserveMany("alice", [0, 0])).not.toBeInstanceOf(Promise);
});
