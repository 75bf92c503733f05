import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { demoBanner } from "../../../src/demo/banner.ts";

const banner = demoBanner({
  baseUrl: "http://127.0.0.1:8000",
  key: "the-key",
  limitedKey: "the-limited-key",
});

test("the banner says that the GPUs are simulated, where to look, the keys, and how to go on", () => {
  expect(banner).toContain("simulated");
  expect(banner).toContain("http://127.0.0.1:8000/docs");
  expect(banner).toContain("the-limited-key");
  expect(banner).toContain('"stream": true');
  expect(banner).toContain("config.yaml");
});

test("the banner is short plain text that fits a terminal", () => {
  const lines = banner.trim().split("\n");
  expect(lines.length).toBeLessThanOrEqual(20);
  for (const line of lines) expect(line).toMatch(/^[\x20-\x7e]{0,100}$/);
});

test("the curl command can be pasted into a shell as it is", () => {
  const command = /^ *curl (?:.*\\\n)*.*$/m.exec(banner)?.[0] ?? "";
  const script = `curl() { printf '%s\\n' "$@"; }\n${command}`;
  const args = execFileSync("sh", ["-c", script], { encoding: "utf8" }).trim().split("\n");
  expect(args).toContain("http://127.0.0.1:8000/v1/chat/completions");
  expect(args).toContain("Authorization: Bearer the-key");
  expect(JSON.parse(args.at(-1) ?? "")).toEqual({
    model: "demo-small",
    messages: [{ role: "user", content: "Hello" }],
  });
});
