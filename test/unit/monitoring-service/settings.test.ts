import { expect, test } from "vitest";
import { readMonitorSettings, SettingsError } from "../../../src/monitoring-service/settings.ts";

test("without any variable: all addresses, port 8080, every 2 s, no token", () => {
  expect(readMonitorSettings({ PATH: "/bin", MONITOR__TOKEN: " " })).toEqual({
    host: "0.0.0.0",
    port: 8080,
    intervalMs: 2000,
    token: null,
  });
});

test("each variable sets one", () => {
  const env = {
    MONITOR__HOST: "10.0.0.11",
    MONITOR__PORT: "9000",
    MONITOR__INTERVAL: "0.5",
    MONITOR__TOKEN: "s3cret-of-the-box\n",
  };
  expect(readMonitorSettings(env)).toEqual({
    host: "10.0.0.11",
    port: 9000,
    intervalMs: 500,
    token: "s3cret-of-the-box",
  });
});

const wrong: readonly (readonly [variable: string, value: string, says: RegExp])[] = [
  ["MONITOR__PORT", "70000", /^MONITOR__PORT: must be a port/],
  ["MONITOR__PORT", "tcp://10.0.0.1:8080", /^MONITOR__PORT: must be a port/],
  ["MONITOR__INTERVAL", "0", /^MONITOR__INTERVAL: must be 0.1 to 60/],
  ["MONITOR__HOST", "http://box", /^MONITOR__HOST: must be an address/],
  ["MONITOR__TOKEN", "short", /^MONITOR__TOKEN: must be 8 to 512/],
  ["MONITOR__PROT", "1", /did you mean MONITOR__PORT\?/],
  ["MONITOR__ENDPOINT_OF_GPU", "1", /there are MONITOR__HOST, MONITOR__PORT/],
];

test.each(wrong)("%s=%s", (variable, value, says) => {
  expect(() => readMonitorSettings({ [variable]: value })).toThrow(SettingsError);
  expect(() => readMonitorSettings({ [variable]: value })).toThrow(says);
});

test("a token is not repeated where it is refused", () => {
  const read = () => readMonitorSettings({ MONITOR__TOKEN: "two words" });
  expect(read).toThrow(/^(?!.*two words)/);
});

test("all mistakes are named at once", () => {
  const env = { MONITOR__PORT: "x", MONITOR__INTERVAL: "x" };
  expect(() => readMonitorSettings(env)).toThrow(/MONITOR__PORT: [^\n]+\nMONITOR__INTERVAL: /);
});

test("what Kubernetes sets for a service called monitor is none of ours", () => {
  expect(readMonitorSettings({ MONITOR_PORT: "tcp://10.0.0.1:8080" }).port).toBe(8080);
});
