import { expect, test } from "vitest";
import { plainAddress } from "../../../src/http/plain-address.ts";

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["203.0.113.9:4711", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["::ffff:cb00:7109", "203.0.113.9"],
  ["[::ffff:203.0.113.9]:4711", "203.0.113.9"],
  ["2001:0DB8:0:0::7", "2001:db8::7"],
  ["[2001:db8::7]", "2001:db8::7"],
  ["[2001:db8::7]:4711", "2001:db8::7"],
  ["fe80::1%eth0", "fe80::1"],
])("%s is %s", (text, plain) => {
  expect(plainAddress(text)).toBe(plain);
});

test.each([
  "",
  "unknown",
  "_hidden",
  "203.0.113",
  "203.0.113.9:",
  "203.0.113.9:x",
  "203.0.113.9:123456",
  "[203.0.113.9",
  "2001:db8::7]:80",
  undefined,
])("%o is no address", (text) => {
  expect(plainAddress(text)).toBeNull();
});
