import { describe, expect, test } from "vitest";
import { processEnvironment } from "../../../src/config/environment.ts";
import { loadYaml, problemsIn } from "./load-yaml.ts";

describe("variables with names of their own", () => {
  test("win over the file", () => {
    const env = {
      API_HOST: "127.0.0.2",
      API_PORT: "9000",
      API_DEBUG: "true",
      GPU_MONITORING_URL: "http://monitor:1/",
    };
    const { config } = loadYaml("api: { host: 127.0.0.1, port: 1, debug: false }", env);
    expect(config.api).toMatchObject({ host: "127.0.0.2", port: 9000, debug: true });
    expect(config.gpu_monitoring.url).toBe("http://monitor:1");
  });

  test.each(["", "  "])("an empty one (%j) counts as unset", (empty) => {
    const env = { API_PORT: empty, GPU_MONITORING_URL: empty, ROUTER__NONSENSE: empty };
    expect(loadYaml("api: { port: 1 }", env).config.api.port).toBe(1);
  });

  test.each([
    ["API_PORT", "abc", 'found "abc", must be a whole number from 0 to 65535'],
    ["API_DEBUG", "1", "found 1, must be true or false"],
    ["API_DEBUG", "yes", 'found "yes", must be true or false'],
  ])("%s=%s is an error that names the variable", (variable, text, problem) => {
    const setting = variable.toLowerCase().replace("_", ".");
    expect(problemsIn("api: { port: 8000 }", { [variable]: text })).toEqual([
      `${variable}: ${setting}: ${problem}`,
    ]);
  });
});

describe("variables with derived names", () => {
  test("are read as YAML, at any depth", () => {
    const env = {
      ROUTER__LOAD_BALANCER__STRATEGY: "dynamic",
      ROUTER__GPU_MONITORING__URL: "null",
      ROUTER__NETWORK__ALLOWED_CIDRS: "[10.0.0.0/8]",
      ROUTER__LOAD_BALANCER__WEIGHTS__USAGE: "1.4",
      ROUTER__WORKERS: '[{ id: a, url: "http://a:1" }]',
    };
    const { config } = loadYaml("", env);
    expect(config.load_balancer.strategy).toBe("dynamic");
    expect(config.gpu_monitoring.url).toBeNull();
    expect(config.network.allowed_cidrs).toEqual(["10.0.0.0/8"]);
    expect(config.load_balancer.weights.usage).toBeCloseTo(0.7);
    expect(config.workers.map((worker) => worker.id)).toEqual(["a"]);
  });

  test.each([
    ["ROUTER__API__PROT", "unknown setting, did you mean ROUTER__API__PORT?"],
    ["ROUTER__api__port", "unknown setting, did you mean ROUTER__API__PORT?"],
    ["ROUTER__WORKERS__0__URL", "unknown setting; set ROUTER__WORKERS as a whole, in YAML"],
    ["ROUTER__X", "unknown setting, docs/configuration.md lists all of them"],
  ])("%s is unknown", (variable, problem) => {
    expect(problemsIn("", { [variable]: "1" })).toEqual([`${variable}: ${problem}`]);
  });

  test("names that only begin alike are somebody else's", () => {
    expect(problemsIn("", { ROUTER_PORT: "tcp://10.0.0.1:80", ROUTERS: "1" })).toEqual([]);
  });

  test("a problem inside of one names it with the setting", () => {
    expect(problemsIn("", { ROUTER__WORKERS: "[{ id: a }]" })).toEqual([
      expect.stringMatching(/^ROUTER__WORKERS: workers\[0\]\.url: missing, must be an http/),
    ]);
  });

  test("a problem that file and variable make together names both", () => {
    const yaml = "load_balancer:\n  weights: { usage: 1, priority: 0, performance: 0, health: 0 }";
    const env = { ROUTER__LOAD_BALANCER__WEIGHTS__USAGE: "0" };
    expect(problemsIn(yaml, env)).toEqual([
      "config.yaml:2, ROUTER__LOAD_BALANCER__WEIGHTS__USAGE: load_balancer.weights: " +
        "every weight is 0; at least one must be above 0",
    ]);
  });

  test("text that is no YAML is an error without the text", () => {
    expect(problemsIn("", { ROUTER__WORKERS: "[{ hidden" })).toEqual([
      expect.stringMatching(/^ROUTER__WORKERS: not valid YAML: line 1, column \d+: [^h]/),
    ]);
  });

  test("do not hide that the file has something else where the section belongs", () => {
    expect(problemsIn("api: 5", { API_PORT: "1" })).toEqual([
      expect.stringContaining("api: found 5, must be a mapping of settings"),
    ]);
  });
});

test("two variables for one setting are an error", () => {
  expect(problemsIn("", { API_PORT: "1", ROUTER__API__PORT: "1" })).toEqual([
    "ROUTER__API__PORT: API_PORT sets the same setting; keep one of the two",
  ]);
});

test("the real environment is that of the process", () => {
  expect(processEnvironment()["PATH"]).toBe(process.env["PATH"]);
});
