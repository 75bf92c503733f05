import { describe, expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

describe("ranges", () => {
  test.each([
    "api: { port: 65536 }",
    "api: { port: -1 }",
    "api: { host: 'http://0.0.0.0' }",
    "api: { host: '10.0.0.300' }",
    "api: { body_limit_mb: 0 }",
    "gpu_monitoring: { update_interval: 0 }",
    "gpu_monitoring: { update_interval: 3601 }",
    "gpu_monitoring: { max_temperature: .inf }",
    "gpu_monitoring: { source: smi }",
    "gpu_monitoring: { url: monitor }",
    "request_router: { max_retries: 1.5 }",
    "request_router: { request_timeout: 0 }",
    "error_handler: { error_threshold: 1.1 }",
    "error_handler: { gpu_cooldown_period: 0 }",
    "user_quota_manager: { default_priority_limit: 6 }",
    "logging: { level: loud }",
    "network: { allowed_cidrs: [10.0.0.0/33] }",
    "network: { worker_hosts: ['http://h'] }",
    "load_balancer: { strategy: best }",
  ])("%s is refused, and alone", (yaml) => {
    expect(problemsIn(yaml)).toEqual([expect.stringMatching(/: found .*, must /)]);
  });

  test("the ends of a range belong to it", () => {
    const yaml = "api: { port: 65535 }\nerror_handler: { error_threshold: 1, retry_delay: 0 }";
    expect(problemsIn(yaml)).toEqual([]);
  });
});

test("the default timeout cannot be above the largest", () => {
  expect(problemsIn("request_router: { request_timeout: 20, max_timeout: 10 }")).toEqual([
    "config.yaml:1: request_router.request_timeout: found 20, " +
      "must be at most request_router.max_timeout (10)",
  ]);
});

describe("gpu_monitoring", () => {
  test("may have no URL", () => {
    expect(loadYaml("gpu_monitoring: { url: null }").config.gpu_monitoring.url).toBeNull();
  });

  test("lists each service once, url included", () => {
    const yaml =
      'gpu_monitoring: { url: "http://a/", urls: ["http://b", "http://a", "http://B/"] }';
    expect(problemsIn(yaml)).toEqual([
      expect.stringContaining("gpu_monitoring.urls[1]: the same service is listed twice"),
      expect.stringContaining("gpu_monitoring.urls[2]: the same service is listed twice"),
    ]);
  });
});

describe("load_balancer.weights", () => {
  const weightsOf = (yaml: string) =>
    loadYaml(`load_balancer: { weights: ${yaml} }`).config.load_balancer.weights;

  test("keep the exact defaults", () => {
    expect(weightsOf("{}")).toEqual({ usage: 0.4, priority: 0.3, performance: 0.2, health: 0.1 });
  });

  test("are made to add up to 1", () => {
    expect(weightsOf("{ usage: 2, priority: 0, performance: 2, health: 4 }")).toEqual({
      usage: 0.25,
      priority: 0,
      performance: 0.25,
      health: 0.5,
    });
  });

  test("cannot all be 0", () => {
    const yaml = "load_balancer: { weights: { usage: 0, priority: 0, performance: 0, health: 0 } }";
    expect(problemsIn(yaml)).toEqual([
      expect.stringContaining("load_balancer.weights: every weight is 0"),
    ]);
  });
});

describe("strategies", () => {
  test("may be chosen by the names that they are given", () => {
    const yaml = `
load_balancer: { strategy: mine }
strategies: { mine: { scorers: { usage: 3, health: 1 }, picker: best } }`;
    const { config } = loadYaml(yaml);
    expect(config.load_balancer.strategy).toBe("mine");
    expect(config.strategies["mine"]).toEqual({
      filters: ["memory", "temperature"],
      scorers: { usage: 0.75, health: 0.25 },
      picker: "best",
    });
  });

  test("may do with fewer filters, or none, and with no scorer", () => {
    const yaml =
      "strategies: { a: { filters: [memory], picker: best }, b: { filters: [], picker: best } }";
    const { a, b } = loadYaml(yaml).config.strategies;
    expect(a).toEqual({ filters: ["memory"], scorers: {}, picker: "best" });
    expect(b?.filters).toEqual([]);
  });

  test.each([
    ["hybrid: { picker: best }", "strategies.hybrid", "the name of a built-in strategy"],
    ["Mine: { picker: best }", "strategies.Mine", "must be lower-case letters"],
    ["m: {}", "strategies.m.picker", "missing, must be the name of a picker: best"],
    ["m: { picker: b }", "strategies.m.picker", "must be the name of a picker: best"],
    ["m: { picker: best, filters: [x] }", "strategies.m.filters[0]", "memory, temperature"],
    [
      "m: { picker: best, scorers: { x: 1 } }",
      "strategies.m.scorers.x",
      "there are: usage, health",
    ],
    ["m: { picker: best, scorers: { usage: -1 } }", "strategies.m.scorers.usage", ">= 0"],
    ["m: { picker: best, scorers: { usage: 0 } }", "strategies.m.scorers", "every weight is 0"],
  ])("{ %s } is refused", (yaml, setting, problem) => {
    const problems = problemsIn(`strategies: { ${yaml} }`);
    expect(problems).toEqual([expect.stringContaining(`: ${setting}: `)]);
    expect(problems[0]).toContain(problem);
  });
});

test("addresses have one spelling", () => {
  const yaml = `network: { allowed_cidrs: [10.1.2.3, "::1"], worker_hosts: [Node1.Example, "::1"] }`;
  expect(loadYaml(yaml).config.network).toEqual({
    allowed_cidrs: ["10.1.2.3/32", "::1/128"],
    trusted_proxies: [],
    worker_hosts: ["node1.example", "[::1]"],
  });
});
