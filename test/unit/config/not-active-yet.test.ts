import { expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const loopback = "api: { host: 127.0.0.1 }\n";

test.each([
  ["logging: { url: 'http://log' }", "logging.url"],
  ["logging: { format: loki }", "logging.format"],
  ["logging: { trace_file: t }", "logging.trace_file"],
  ["gpu_monitoring: { source: dcgm }", "gpu_monitoring.source"],
])("%s is refused with a sentence", (yaml, setting) => {
  expect(problemsIn(yaml)).toEqual([
    expect.stringMatching(
      new RegExp(`^config\\.yaml:1: ${setting}: not active yet: .*\\. Remove this setting$`),
    ),
  ]);
});

test("a variable is refused like the file", () => {
  expect(problemsIn("", { ROUTER__LOGGING__FORMAT: "loki" })).toEqual([
    expect.stringMatching(/^ROUTER__LOGGING__FORMAT: logging\.format: not active yet: /),
  ]);
});

test("the defaults may be written down", () => {
  const yaml = `${loopback}
logging: { url: null, format: json, level: debug, trace_file: null }
gpu_monitoring: { source: service }
error_handler: { early_recovery: false }`;
  expect(loadYaml(yaml).notices).toEqual([]);
});

test("LOGGING_URL is taken, with a notice", () => {
  const { config, notices } = loadYaml(loopback, { LOGGING_URL: "http://log:1/" });
  expect(config.logging.url).toBe("http://log:1");
  expect(notices).toEqual([
    "LOGGING_URL is read but not active yet: logs are only written to stdout yet",
  ]);
});
