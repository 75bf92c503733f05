import { expect, test } from "vitest";
import { nearest } from "../../../src/config/nearest.ts";

test.each([
  ["prot", ["host", "port", "debug"], "port"],
  ["udpate_interval", ["update_interval", "url"], "update_interval"],
  ["strategy", ["strategies", "weights"], "strategies"],
  ["token", ["url", "token_env"], "token_env"],
  ["id", ["idle", "max"], null],
  ["firewall", ["host", "port"], null],
  ["ab", ["cd", "id"], null],
  ["x", ["a"], null],
  ["anything", [], null],
])("%s among %j is %s", (name, candidates, found) => {
  expect(nearest(name, candidates)).toBe(found);
});
