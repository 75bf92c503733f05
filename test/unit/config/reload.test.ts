import { describe, expect, test } from "vitest";
import { describeSettings } from "../../../src/config/describe-settings.ts";
import { withSetting } from "../../../src/config/document.ts";
import { compareConfigs, NEEDS_RESTART } from "../../../src/config/reload.ts";
import type { Config } from "../../../src/config/schema.ts";
import { loadYaml } from "./load-yaml.ts";

const read = (yaml: string) => loadYaml(yaml).config;
const changed = (before: string, after: string) =>
  compareConfigs(read(before), read(after)).changed;

const SHA = "0".repeat(64);
const key = (id: string) => `{ id: ${id}, user: u, role: user, sha256: "${SHA}" }`;

/** Those inside items change with their list or table. */
const WHOLE_SETTINGS = describeSettings()
  .map(({ setting }) => setting)
  .filter((setting) => !setting.includes("[]") && !setting.includes("<name>"));

describe("what differs", () => {
  test("is named by its path, in the order of the schema", () => {
    const after = "network: { worker_hosts: [b] }\napi: { debug: true, port: 9 }";
    expect(changed("", after)).toEqual(["api.port", "api.debug", "network.worker_hosts"]);
  });

  test("is the list or the table as a whole, where something inside it differs", () => {
    expect(changed(`auth: { keys: [${key("a")}] }`, `auth: { keys: [${key("b")}] }`)).toEqual([
      "auth.keys",
    ]);
    const pipeline = (picker: string) => `strategies: { mine: { picker: ${picker} } }`;
    expect(changed("", pipeline("best"))).toEqual(["strategies"]);
  });

  test.each([
    [
      "the same in another order and form",
      "api: { port: 9, debug: true }",
      "api:\n  debug: true\n  port: 9",
    ],
    ["a default that is written out", "", "queue: { ageing: 30 }"],
    [
      "weights in the same proportions",
      "",
      "load_balancer: { weights: { usage: 4, priority: 3, performance: 2, health: 1 } }",
    ],
    ["comments", "api: {}", "# new\napi: {}"],
  ])("is not %s", (_, before, after) => {
    expect(changed(before, after)).toEqual([]);
  });

  test.each(WHOLE_SETTINGS)("is never missed: %s", (setting) => {
    const before = read("");
    const after = withSetting(before, setting.split("."), "something else") as Config;
    expect(compareConfigs(before, after).changed).toEqual([setting]);
  });
});

describe("what needs a restart", () => {
  test("has a sentence that names the setting, beside all that is changed", () => {
    const change = compareConfigs(read(""), read("api: { host: 127.0.0.1, debug: true }"));
    expect(change.changed).toEqual(["api.host", "api.debug"]);
    expect(change.refusals).toEqual([
      "api.host: changing it needs a restart (the router listens there)",
    ]);
  });

  test("is spelled as the schema spells it", () => {
    const settings = new Set(describeSettings().map(({ setting }) => setting));
    expect(Object.keys(NEEDS_RESTART).filter((setting) => !settings.has(setting))).toEqual([]);
  });
});
