import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ConfigError, loadConfig } from "../../../src/config/load.ts";
import { loadYaml, NAMES, problemsIn } from "./load-yaml.ts";

const folder = mkdtempSync(join(tmpdir(), "router-config-load-"));
afterAll(() => rmSync(folder, { recursive: true }));

const load = (env: Record<string, string>) => loadConfig({ env, cwd: folder, names: NAMES });

describe("where the configuration is found", () => {
  test("CONFIG_PATH names a file relative to the working directory", () => {
    writeFileSync(join(folder, "mine.yaml"), "api: { port: 9001 }");
    const loaded = load({ CONFIG_PATH: "mine.yaml" });
    expect(loaded.config.api.port).toBe(9001);
    expect(loaded.origin).toEqual({ kind: "file", path: join(folder, "mine.yaml") });
  });

  test("without CONFIG_PATH it is ./config.yaml, and an empty CONFIG_PATH counts as none", () => {
    expect(loadYaml("api: { port: 9002 }", { CONFIG_PATH: " " }).config.api.port).toBe(9002);
  });

  test("a CONFIG_PATH without a file is an error, never the demo", () => {
    const path = join(folder, "absent.yaml");
    expect(() => load({ CONFIG_PATH: "absent.yaml" })).toThrow(
      `CONFIG_PATH: ${path}: there is no such file; config.example.yaml is a start`,
    );
  });

  test("a folder is no configuration", () => {
    mkdirSync(join(folder, "folder.yaml"));
    expect(() => load({ CONFIG_PATH: "folder.yaml" })).toThrow("this is a folder");
  });

  test("problems name the file as CONFIG_PATH does", () => {
    writeFileSync(join(folder, "bad.yaml"), "api: { port: -1 }");
    expect(() => load({ CONFIG_PATH: "./bad.yaml" })).toThrow(/^\.\/bad\.yaml:1: api\.port: /);
  });
});

describe("the demo", () => {
  test("starts where there is no file, on loopback, with the defaults otherwise", () => {
    const { config, origin, notices } = loadYaml(null);
    expect(origin).toEqual({ kind: "demo" });
    expect(config).toEqual({
      ...loadYaml("").config,
      api: { ...loadYaml("").config.api, host: "127.0.0.1" },
    });
    expect(notices).toEqual([]);
  });

  test.each(["API_HOST", "ROUTER__API__HOST"])("%s moves it to another address", (variable) => {
    expect(loadYaml(null, { [variable]: "0.0.0.0" }).config.api.host).toBe("0.0.0.0");
  });

  test("takes the other variables too", () => {
    expect(loadYaml(null, { API_PORT: "0" }).config.api.port).toBe(0);
  });

  test("is refused under NODE_ENV=production, which a file is not", () => {
    expect(problemsIn(null, { NODE_ENV: "production" })).toEqual([
      expect.stringMatching(/^config\.yaml: there is none in .*, and NODE_ENV=production never/),
    ]);
    expect(problemsIn("", { NODE_ENV: "production" })).toEqual([]);
  });
});

describe("what a file may hold", () => {
  test.each(["", "# only a comment\n", "---\n", "\uFEFFapi:\r\n  port: 8000\r\n"])(
    "%j means all defaults",
    (yaml) => expect(loadYaml(yaml).config.api).toMatchObject({ host: "0.0.0.0", port: 8000 }),
  );

  test("sections, lists and tables with nothing under them are left at their defaults", () => {
    const yaml = "api:\nworkers:\nauth:\n  keys:\nload_balancer:\n  weights:\nstrategies:\n";
    expect(loadYaml(yaml).config).toEqual(loadYaml("").config);
  });

  test("a value with nothing behind it is an error", () => {
    expect(problemsIn("api:\n  port:")).toEqual([
      "config.yaml:2: api.port: found nothing, must be a whole number from 0 to 65535",
    ]);
  });

  test.each([
    ["- 1", "config.yaml: found a list, must be a mapping of sections such as api:"],
    ["8000", "config.yaml: found a single value, must be a mapping of sections such as api:"],
    ["api: 1\nload: [", "config.yaml: line 2, column 8: unexpected end of the stream"],
    ["api: {}\napi: {}", "config.yaml: line 2, column 1: duplicated mapping key"],
    ["a: 1\n---\nb: 2", "config.yaml: found several documents, must be one"],
  ])("%j is refused", (yaml, problem) => {
    expect(problemsIn(yaml)).toEqual([expect.stringContaining(problem)]);
  });

  test("__proto__ is an unknown key and changes no prototype", () => {
    expect(problemsIn("__proto__: { polluted: 1 }")).toEqual([
      expect.stringMatching(/^config\.yaml:1: __proto__: unknown key/),
    ]);
    expect(problemsIn("strategies: { __proto__: { picker: best } }")).toEqual([]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

test("an open address with no list of networks is worth a warning", () => {
  const [warning] = loadYaml("").notices;
  expect(warning).toContain("network.allowed_cidrs is empty");
  expect(loadYaml("network: { allowed_cidrs: [10.0.0.0/8] }").notices).toEqual([]);
  expect(loadYaml('api: { host: "::1" }').notices).toEqual([]);
});

test("the message of a ConfigError is all its problems, a line each", () => {
  const error = new ConfigError(["a: one", "b: two"]);
  expect(error.message).toBe("a: one\nb: two");
});
