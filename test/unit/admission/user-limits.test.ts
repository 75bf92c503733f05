import { expect, test } from "vitest";
import { LimitsByUser, type GivenLimits } from "../../../src/admission/user-limits.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { DEFAULTS } from "./quota-setup.ts";

const clock = () => new FakeClock();
const wholeDefaults = { ...DEFAULTS, expiresAtWallMs: null };

function limitsWith(config: Readonly<Record<string, GivenLimits>>, at = clock()): LimitsByUser {
  return new LimitsByUser({
    clock: at,
    settings: { defaults: DEFAULTS, config: new Map(Object.entries(config)) },
  });
}

test("whoever has none of their own has the defaults", () => {
  const limits = limitsWith({ alice: { limits: { gpuLimit: 9 }, expiresAtWallMs: null } });
  expect(limits.of("bob")).toEqual(wholeDefaults);
});

test("each limit comes from the override, else the config, else the defaults", () => {
  const given = { gpuLimit: 9, requestLimit: 900, tokenLimit: 10 };
  const limits = limitsWith({ alice: { limits: given, expiresAtWallMs: null } });
  limits.setOverride("alice", {
    limits: { gpuLimit: 7, tokenLimit: null },
    expiresAtWallMs: null,
  });
  expect(limits.of("alice")).toEqual({
    gpuLimit: 7,
    requestLimit: 900,
    priorityLimit: 3,
    tokenLimit: null,
    expiresAtWallMs: null,
  });
  expect(limits.sourcesOf("alice")).toEqual({
    gpuLimit: "override",
    requestLimit: "config",
    priorityLimit: "default",
    tokenLimit: "override",
  });
});

test("an override takes the place of an earlier one, whole, until it is cleared", () => {
  const limits = limitsWith({});
  limits.setOverride("alice", { limits: { gpuLimit: 7 }, expiresAtWallMs: null });
  limits.setOverride("alice", { limits: { requestLimit: 8 }, expiresAtWallMs: null });
  expect(limits.of("alice")).toEqual({ ...wholeDefaults, requestLimit: 8 });
  limits.clearOverride("alice");
  limits.clearOverride("alice");
  expect(limits.of("alice")).toEqual(wholeDefaults);
});

test("an entry of the config applies until its expiration time, by the wall clock", () => {
  const time = clock();
  const expiresAtWallMs = time.wallMs() + 1_000;
  const limits = limitsWith({ alice: { limits: { gpuLimit: 9 }, expiresAtWallMs } }, time);
  time.advance(999);
  expect(limits.of("alice")).toMatchObject({ gpuLimit: 9, expiresAtWallMs });
  time.advance(1);
  expect(limits.sourcesOf("alice").gpuLimit).toBe("default");
  expect(limits.of("alice")).toEqual(wholeDefaults);
});

test("an entry that was over before the start never applies", () => {
  const time = clock();
  const expiresAtWallMs = time.wallMs();
  const limits = limitsWith({ alice: { limits: { gpuLimit: 9 }, expiresAtWallMs } }, time);
  expect(limits.of("alice")).toEqual(wholeDefaults);
});

test("an override that has expired gives way to the config, and that to the defaults", () => {
  const time = clock();
  const now = time.wallMs();
  const entry = { limits: { gpuLimit: 9 }, expiresAtWallMs: now + 2_000 };
  const limits = limitsWith({ alice: entry }, time);
  limits.setOverride("alice", { limits: { gpuLimit: 7 }, expiresAtWallMs: now + 1_000 });
  expect(limits.of("alice")).toMatchObject({ gpuLimit: 7, expiresAtWallMs: now + 1_000 });
  time.advance(1_000);
  expect(limits.sourcesOf("alice").gpuLimit).toBe("config");
  expect(limits.of("alice")).toMatchObject({ gpuLimit: 9, expiresAtWallMs: now + 2_000 });
  time.advance(1_000);
  expect(limits.of("alice")).toEqual(wholeDefaults);
});

test("an override without an end outlasts the config under it", () => {
  const time = clock();
  const entry = { limits: { requestLimit: 9 }, expiresAtWallMs: time.wallMs() + 1_000 };
  const limits = limitsWith({ alice: entry }, time);
  limits.setOverride("alice", { limits: { gpuLimit: 7 }, expiresAtWallMs: null });
  expect(limits.of("alice").requestLimit).toBe(9);
  time.advance(1_000);
  expect(limits.of("alice")).toEqual({ ...wholeDefaults, gpuLimit: 7 });
});
