import { expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const loopback = "api: { host: 127.0.0.1 }\n";

test.each([
  ["queue: { max_requests: 5 }", "queue.max_requests"],
  ["callbacks: { allowed_hosts: [h] }", "callbacks.allowed_hosts"],
  ["callbacks: { secrets: { alice: whsec_x } }", "callbacks.secrets"],
  ["users: [{ id: alice }]", "users"],
  ["logging: { url: 'http://log' }", "logging.url"],
  ["logging: { format: loki }", "logging.format"],
  ["logging: { trace_file: t }", "logging.trace_file"],
  ["gpu_monitoring: { source: dcgm }", "gpu_monitoring.source"],
  ["error_handler: { early_recovery: true }", "error_handler.early_recovery"],
])("%s is refused with a sentence", (yaml, setting) => {
  expect(problemsIn(yaml)).toEqual([
    expect.stringMatching(
      new RegExp(`^config\\.yaml:1: ${setting}: not active yet: .*\\. Remove this setting$`),
    ),
  ]);
});

test("a variable is refused like the file", () => {
  expect(problemsIn("", { ROUTER__QUEUE__MAX_MB: "1" })).toEqual([
    expect.stringMatching(/^ROUTER__QUEUE__MAX_MB: queue\.max_mb: not active yet: /),
  ]);
});

test("the defaults may be written down", () => {
  const yaml = `${loopback}
queue: { max_requests: 10000, max_mb: 256, user_share: 0.2, ageing: 30, job_timeout: 86400 }
callbacks: { allowed_hosts: [], secrets: {} }
users: []
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

test.each([
  [`${loopback}user_quota_manager: { default_gpu_limit: 2 }`, {}],
  [loopback, { ROUTER__USER_QUOTA_MANAGER__DEFAULT_GPU_LIMIT: "4" }],
])("user_quota_manager is taken, with one notice (%#)", (yaml, env) => {
  expect(loadYaml(yaml, env).notices).toEqual([
    "user_quota_manager is read but not active yet: quotas come with admission",
  ]);
});
