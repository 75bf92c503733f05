import { expect, test } from "vitest";
import { LimitsByUser, type GivenLimits } from "../../../src/admission/user-limits.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { DEFAULTS } from "./quota-setup.ts";

const given = (requestLimit: number): GivenLimits => {
  return { limits: { requestLimit }, expiresAtWallMs: null };
};
const settings = (users: Readonly<Record<string, GivenLimits>>, defaults = DEFAULTS) => {
  return { defaults, config: new Map(Object.entries(users)) };
};

test("other defaults and users count at once, also for users that are gone", () => {
  const limits = new LimitsByUser({
    clock: new FakeClock(),
    settings: settings({ alice: given(10), bob: given(20) }),
  });
  limits.reconfigure(settings({ bob: given(21), carol: given(30) }));
  expect(limits.of("alice").requestLimit).toBe(DEFAULTS.requestLimit);
  expect(limits.of("bob").requestLimit).toBe(21);
  expect(limits.of("carol").requestLimit).toBe(30);
});

test("an override wins over the new config, and its deletion falls to the new one", () => {
  const limits = new LimitsByUser({ clock: new FakeClock(), settings: settings({}) });
  limits.setOverride("alice", given(50));
  limits.setOverride("bob", given(60));
  limits.reconfigure(settings({ alice: { limits: { gpuLimit: 9 }, expiresAtWallMs: null } }));
  expect(limits.of("alice")).toMatchObject({ requestLimit: 50, gpuLimit: 9 });
  expect(limits.sourcesOf("alice")).toMatchObject({ requestLimit: "override", gpuLimit: "config" });
  expect(limits.of("bob").requestLimit).toBe(60);
  limits.clearOverride("alice");
  expect(limits.of("alice")).toMatchObject({ requestLimit: DEFAULTS.requestLimit, gpuLimit: 9 });
});
