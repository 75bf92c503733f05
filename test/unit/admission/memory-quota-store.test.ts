import { expect, test } from "vitest";
import { reserve, SENT, setUp, SLICE_MS, UNSENT, WINDOW_MS } from "./quota-setup.ts";

/** What any traffic does to the store: a slice at a time, for two and a half windows. */
function goOn({ quotas, clock }: ReturnType<typeof setUp>): void {
  for (let slice = 0; slice < 150; slice++) {
    clock.advance(SLICE_MS);
    reserve(quotas, "traffic").end(UNSENT);
  }
}

test("users of whom nothing counts any more are forgotten", () => {
  const scene = setUp();
  for (let user = 0; user < 1_000; user++) reserve(scene.quotas, `user-${user}`).end(SENT);
  expect(scene.memory.size).toBe(1_000);
  goOn(scene);
  expect(scene.memory.size).toBeLessThanOrEqual(2);
});

test("while new users come and go for ever, those of some windows are held", () => {
  const { quotas, clock, memory } = setUp();
  let most = 0;
  for (let user = 0; user < 20_000; user++) {
    clock.advance(SLICE_MS / 10);
    reserve(quotas, `user-${user}`).end(SENT);
    most = Math.max(most, memory.size);
  }
  expect(most).toBeLessThan(3 * 600);
});

test("a user whose request still holds tokens is not forgotten, however long it runs", () => {
  const scene = setUp({ defaults: { tokenLimit: 100 } });
  const running = reserve(scene.quotas, "alice", 70);
  goOn(scene);
  expect(scene.quotas.usageOf("alice")).toMatchObject({ requests: 0, tokensHeld: 70 });
  running.end({ sent: true, tokens: 20 });
  expect(scene.quotas.usageOf("alice")).toMatchObject({ tokens: 20, tokensHeld: 0 });
  goOn(scene);
  expect(scene.memory.size).toBeLessThanOrEqual(2);
});

test("a request that ends after its user was forgotten changes nothing", () => {
  const scene = setUp();
  const late = reserve(scene.quotas, "alice");
  goOn(scene);
  late.end(UNSENT);
  expect(scene.quotas.usageOf("alice")).toEqual({
    requests: 0,
    requestsResetMs: 0,
    tokens: 0,
    tokensHeld: 0,
    tokensResetMs: 0,
  });
});

test("reading what nobody has used makes no user", () => {
  const { quotas, memory } = setUp();
  quotas.rateOf("nobody");
  quotas.usageOf("nobody");
  expect(memory.size).toBe(0);
});

test("a refused user takes no room", () => {
  const { quotas, memory } = setUp({ defaults: { requestLimit: 0 } });
  expect(() => reserve(quotas, "alice")).toThrow("alice has used 0 of request_limit 0");
  expect(memory.size).toBe(0);
});

test("no timer is set", () => {
  const { quotas, clock } = setUp();
  reserve(quotas, "alice");
  expect(clock.pendingTimers).toBe(0);
  expect(WINDOW_MS / SLICE_MS).toBe(60);
});
