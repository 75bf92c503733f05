import { describe, expect, test } from "vitest";
import { LOG_FORMATS } from "../../../src/observability/log-formats.ts";

const LINES = [
  { level: 30, time: 1_767_225_600_000, user: "alice", msg: "request" },
  { level: 40, time: 1_767_225_600_001, problem: 'a "quoted" ü\n', msg: "attempt failed" },
  { level: 30, time: 1_767_225_600_001, list: [1, { two: 2 }], msg: "request" },
];
const TEXT = Buffer.from(LINES.map((line) => `${JSON.stringify(line)}\n`).join(""));

function bodyIn(format: keyof typeof LOG_FORMATS, text = TEXT): unknown {
  return JSON.parse(LOG_FORMATS[format].body(text).toString());
}

describe("json", () => {
  test("is an array of the lines, at /logs below the URL", () => {
    expect(bodyIn("json")).toEqual(LINES);
    expect(LOG_FORMATS.json.address("http://log:9000/in")).toBe("http://log:9000/in/logs");
  });

  test("leaves the lines as they were, for they may be sent again", () => {
    const before = Buffer.from(TEXT);
    LOG_FORMATS.json.body(TEXT);
    expect(TEXT).toEqual(before);
  });
});

describe("loki", () => {
  test("is a stream for each level, with its lines in their order and times in nanoseconds", () => {
    const [first, second, third] = LINES.map((line) => JSON.stringify(line));
    const service_name = "gpu-request-router";
    expect(bodyIn("loki")).toEqual({
      streams: [
        {
          stream: { service_name, level: "info" },
          values: [
            ["1767225600000000000", first],
            ["1767225600001000000", third],
          ],
        },
        { stream: { service_name, level: "warn" }, values: [["1767225600001000000", second]] },
      ],
    });
  });

  test("is pushed to Loki's own path, be it in the URL or not", () => {
    const { address } = LOG_FORMATS.loki;
    const whole = "http://loki:3100/loki/api/v1/push";
    expect([address("http://loki:3100"), address(whole)]).toEqual([whole, whole]);
    expect(address("http://gate/tenant")).toBe("http://gate/tenant/loki/api/v1/push");
  });

  test("has a place even for a line that begins unlike ours", () => {
    expect(bodyIn("loki", Buffer.from("{}\n"))).toEqual({
      streams: [{ stream: { service_name: "gpu-request-router" }, values: [["0000000", "{}"]] }],
    });
  });
});
