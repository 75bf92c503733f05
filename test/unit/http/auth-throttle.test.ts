import { expect, test } from "vitest";
import { createAuthThrottle } from "../../../src/http/auth-throttle.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { captureLog } from "../../support/front-door-app.ts";
import type { LogLine } from "../../support/front-door-app.ts";

function setUp() {
  const clock = new FakeClock();
  const lines: LogLine[] = [];
  const throttle = createAuthThrottle({ clock, log: captureLog(lines) });
  const fail = (address: string, times = 1): number | null => {
    for (let count = 1; count < times; count++) throttle.countBadKey(address);
    return throttle.countBadKey(address);
  };
  return { clock, lines, fail };
}

test("ten bad keys a minute are counted, the eleventh must wait for the rest of the minute", () => {
  const { clock, fail } = setUp();
  expect(fail("192.0.2.1", 10)).toBeNull();
  clock.advance(20_000);
  expect(fail("192.0.2.1")).toBe(40_000);
  clock.advance(39_999);
  expect(fail("192.0.2.1")).toBe(1);
  clock.advance(1);
  expect(fail("192.0.2.1", 10)).toBeNull();
  expect(fail("192.0.2.1")).toBe(60_000);
});

test("addresses are counted apart, and logged once when their tries are used up", () => {
  const { fail, lines } = setUp();
  expect(fail("192.0.2.1", 15)).not.toBeNull();
  expect(fail("192.0.2.2")).toBeNull();
  expect(lines).toEqual([
    { level: "warn", fields: { address: "192.0.2.1" }, message: "too many bad keys" },
  ]);
});

test.each([
  ["2001:db8:0:1::1", "2001:db8:0:1:ffff::9"],
  ["2001:db8::1", "2001:0db8:0000:0000:1:2:3:4"],
  ["::1", "::2:0:0:1"],
  ["fe80::1%eth0", "fe80::2%eth1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  // A proxy that forwards ports, which are others for each connection.
  ["192.0.2.1:4711", "192.0.2.1:4712"],
  ["[2001:db8::1]:4711", "2001:db8::1"],
])("%s and %s count together", (first, second) => {
  const { fail } = setUp();
  fail(first, 10);
  expect(fail(second)).not.toBeNull();
});

test.each([
  ["2001:db8:0:1::1", "2001:db8:0:2::1"],
  ["2001:db8::1", "2001:db8:0:1::1"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2"],
])("%s and %s count apart", (first, second) => {
  const { fail } = setUp();
  fail(first, 10);
  expect(fail(second)).toBeNull();
});

test("ten thousand addresses are remembered; one more drops the oldest", () => {
  const { fail } = setUp();
  const address = (index: number) =>
    `10.0.${String(Math.floor(index / 250))}.${String(index % 250)}`;
  fail("192.0.2.1", 11);
  fail("192.0.2.2", 11);
  for (let index = 0; index < 9_999; index++) fail(address(index));
  expect(fail("192.0.2.2")).not.toBeNull();
  expect(fail("192.0.2.1")).toBeNull();
});

test("an address that comes back after its minute is not the oldest any more", () => {
  const { clock, fail } = setUp();
  fail("192.0.2.1");
  clock.advance(30_000);
  fail("192.0.2.2", 11);
  clock.advance(30_000);
  fail("192.0.2.1", 11);
  for (let index = 0; index < 9_999; index++)
    fail(`10.1.${String(index >> 8)}.${String(index & 255)}`);
  expect(fail("192.0.2.1")).not.toBeNull();
  expect(fail("192.0.2.2")).toBeNull();
});
