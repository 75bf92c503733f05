import { expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const loopback = "api: { host: 127.0.0.1 }\n";

test.each([["logging: { trace_file: t }", "logging.trace_file"]])(
  "%s is refused with a sentence",
  (yaml, setting) => {
    expect(problemsIn(yaml)).toEqual([
      expect.stringMatching(
        new RegExp(`^config\\.yaml:1: ${setting}: not active yet: .*\\. Remove this setting$`),
      ),
    ]);
  },
);

test("a variable is refused like the file", () => {
  expect(problemsIn("", { ROUTER__LOGGING__TRACE_FILE: "t" })).toEqual([
    expect.stringMatching(/^ROUTER__LOGGING__TRACE_FILE: logging\.trace_file: not active yet: /),
  ]);
});

test("the defaults may be written down", () => {
  const yaml = `${loopback}
logging: { url: null, format: json, level: debug, trace_file: null }
gpu_monitoring: { source: service }
error_handler: { early_recovery: false }`;
  expect(loadYaml(yaml).notices).toEqual([]);
});
