import { hash } from "node:crypto";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { runKeyCommand } from "../../../src/cli/key-command.ts";

function made(...argv: readonly string[]) {
  const { exitCode, stdout, stderr } = runKeyCommand(argv);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const key = stdout.split("\n").find((line) => line.startsWith("gr_live_")) ?? "";
  const yaml = stdout.slice(stdout.indexOf("auth:"), stdout.indexOf("If auth.keys"));
  return { stdout, key, config: load(yaml) };
}

test("prints the key once and the YAML with its digest", () => {
  const { stdout, key, config } = made("--user", "alice", "--role", "service", "--id", "laptop");
  expect(stdout.split(key)).toHaveLength(2);
  expect(config).toEqual({
    auth: {
      keys: [{ id: "laptop", user: "alice", role: "service", sha256: hash("sha256", key, "hex") }],
    },
  });
});

test("names a key without --id after its user and its last characters", () => {
  const { key, config } = made("--user=alice", "--role=user");
  expect(config).toMatchObject({ auth: { keys: [{ id: `alice-${key.slice(-4)}` }] } });
});

test.each(["null", "1e3", "007", "true", "no"])("the user %s stays a text in YAML", (user) => {
  const { config } = made("--user", user, "--role", "user", "--id", user);
  expect(config).toMatchObject({ auth: { keys: [{ id: user, user }] } });
});

test.each([
  [["--role", "user"], "--user is missing"],
  [["--user", "alice"], "--role is missing: one of user, service, operator, admin"],
  [["--user", "alice", "--role", "root"], '--role "root" is not one of user, service'],
  [["--user", "a b", "--role", "user"], '--user "a b" must be'],
  [["--user", "", "--role", "user"], '--user "" must be'],
  [["--user", "a\n- x", "--role", "user"], "must be"],
  [["--user", "a".repeat(65), "--role", "user"], "must be"],
  [["--user", "alice", "--role", "user", "--id", "{"], '--id "{" must be'],
  [["--usr", "alice"], "--usr"],
  [["alice"], "alice"],
  [["--user"], "--user"],
])("%j is refused with a sentence, the usage and code 2", (argv, sentence) => {
  const { exitCode, stdout, stderr } = runKeyCommand(argv);
  expect(exitCode).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain(sentence);
  expect(stderr).toContain("Usage: npm run key -- --user <name>");
});

test("--help explains without an error", () => {
  const { exitCode, stdout } = runKeyCommand(["--help"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("Usage:");
});
