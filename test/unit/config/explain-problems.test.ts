import { describe, expect, test } from "vitest";
import { problemsIn } from "./load-yaml.ts";

test("every problem is told at once, in the order of the file", () => {
  const yaml = [
    "api:",
    "  prot: 1",
    "workers:",
    '  - { id: a, url: "http://h:1", engine: vlm }',
    '  - { id: a, url: "http://h:1/", slots: 0 }',
    "auth: { keys: [{ id: k, user: u, role: root }] }",
    "load_balancer: { strategy: hybird, weights: { usage: -1 } }",
  ].join("\n");
  expect(problemsIn(yaml).map((line) => line.split(": ").slice(0, 2).join(": "))).toEqual([
    "config.yaml:2: api.prot",
    "config.yaml:4: workers[0].engine",
    "config.yaml:5: workers[1].slots",
    "config.yaml:5: workers[1].id",
    "config.yaml:5: workers[1].url",
    "config.yaml:6: auth.keys[0].role",
    "config.yaml:6: auth.keys[0].sha256",
    "config.yaml:7: load_balancer.weights.usage",
    "config.yaml:7: load_balancer.strategy",
  ]);
});

test("a problem says what was found and what is allowed", () => {
  expect(problemsIn("load_balancer:\n  weights:\n    usage: -1")).toEqual([
    "config.yaml:3: load_balancer.weights.usage: found -1, must be a number >= 0",
  ]);
});

describe("an unknown key", () => {
  test.each([
    ["api: { prot: 1 }", "api.prot: unknown key, did you mean api.port?"],
    ["port: 1", "port: unknown key, did you mean api.port?"],
    [
      "network: { max_retries: 1 }",
      "network.max_retries: unknown key, did you mean request_router.max_retries or " +
        "error_handler.max_retries?",
    ],
    [
      "network: { firewall: on }",
      "network.firewall: unknown key, allowed here: allowed_cidrs, trusted_proxies, worker_hosts",
    ],
    [
      'workers: [{ id: a, url: "http://a", models: [{ nme: x, name: y }] }]',
      "workers[0].models[0].nme: unknown key, did you mean workers[0].models[0].name?",
    ],
    [
      "strategies: { mine: { pickr: best, picker: best } }",
      "strategies.mine.pickr: unknown key, did you mean strategies.mine.picker?",
    ],
  ])("in %j gets the nearest one", (yaml, problem) => {
    expect(problemsIn(yaml)).toEqual([`config.yaml:1: ${problem}`]);
  });

  test.each(["workers: [{ id: a, url: 'http://a', api_key: x }]", "gpu_monitoring: { token: x }"])(
    "is also what the router fills in by itself: %s",
    (yaml) => expect(problemsIn(yaml)).toEqual([expect.stringMatching(/: unknown key, did you/)]),
  );
});

test.each([
  ["api: { port: [1] }", "found a list"],
  ["api: { port: { a: 1 } }", "found a mapping"],
  ["api: { port: '8000' }", 'found "8000"'],
  ["api: { port: .nan }", "found NaN"],
  [`api: { port: ${"x".repeat(100)} }`, `found "${"x".repeat(60)}…"`],
])("%s: %s", (yaml, found) => {
  expect(problemsIn(yaml)).toEqual([
    `config.yaml:1: api.port: ${found}, must be a whole number from 0 to 65535`,
  ]);
});
