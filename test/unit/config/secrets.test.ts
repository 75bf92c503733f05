import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const CANARY = "canary7Xq2bird";
const DIGEST = "ab".repeat(32);

describe("a secret is never repeated in a problem", () => {
  test.each([
    `auth: ${CANARY}`,
    `auth: { keys: ${CANARY} }`,
    `auth: { keys: [${CANARY}] }`,
    `auth: { keys: [{ id: a, user: u, role: user, key: ${CANARY} }] }`,
    `auth: { keys: [{ id: a, user: u, role: user, sha256: ${CANARY} }] }`,
    `auth: { keys: [{ id: a, user: "${CANARY} ", role: user, sha256: x, key: y }] }`,
    `auth: { keys: [{ id: a, user: b, role: gr_live_${CANARY}, sha256: ${DIGEST} }] }`,
    `callbacks: { secrets: ${CANARY} }`,
    `callbacks: { secrets: { alice: ${CANARY} } }`,
    `gpu_monitoring: { token_env: ${CANARY} }`,
    `workers: [{ id: a, url: "http://u:${CANARY}@h" }]`,
    `gpu_monitoring: { url: "htp://u:${CANARY}@h" }`,
    `logging: { url: "http://${CANARY}@h" }`,
    `workers: [{ id: a, url: "http://h", api_key_env: ${CANARY} }]`,
    `api: { token: ${CANARY} }`,
    `a: "${CANARY}" b`,
    `a: *${CANARY}`,
    `a: "${CANARY}`,
  ])("%s", (yaml) => {
    const problems = problemsIn(yaml);
    expect(problems).not.toEqual([]);
    expect(problems.join("\n")).not.toContain(CANARY);
  });

  test("nor when the environment gives it", () => {
    const env = { ROUTER__AUTH__KEYS: `[{ key: ${CANARY} }, ${CANARY}]` };
    expect(problemsIn("", env).join("\n")).not.toContain(CANARY);
  });
});

describe("keys of the API", () => {
  const withKey = (fields: string) => `auth: { keys: [{ id: k, user: u, role: user, ${fields} }] }`;

  test("are taken as digests, in small letters", () => {
    const { config } = loadYaml(withKey(`sha256: ${DIGEST.toUpperCase()}`));
    expect(config.auth.keys).toEqual([{ id: "k", user: "u", role: "user", sha256: DIGEST }]);
  });

  test("in plain are refused with the command that makes a digest", () => {
    const entry = `{ id: k, user: alice, role: operator, key: x, sha256: ${DIGEST} }`;
    const yaml = `auth: { keys: [${entry}] }`;
    expect(problemsIn(yaml)).toEqual([
      "config.yaml:1: auth.keys[0].key: a plain key must not stand in a file: run " +
        "npm run key -- --user alice --role operator, and paste the entry that it prints",
    ]);
  });

  test.each(["demo", "demo-limited"])("of the demo (%s) are refused", (key) => {
    const digest = createHash("sha256").update(key).digest("hex").toUpperCase();
    expect(problemsIn(withKey(`sha256: ${digest}`))).toEqual([
      expect.stringContaining("auth.keys[0].sha256: this is the digest of a demo key"),
    ]);
  });

  test.each(["id", "sha256"])("must differ in their %s", (field) => {
    const other = (name: string) => (name === field ? "same" : "other");
    const sha = (name: string) => (name === "same" ? DIGEST : "cd".repeat(32));
    const yaml = `auth: { keys: [
      { id: same, user: u, role: user, sha256: ${DIGEST} },
      { id: ${other("id")}, user: u, role: user, sha256: ${sha(other("sha256"))} } ] }`;
    expect(problemsIn(yaml)).toEqual([
      `config.yaml:3: auth.keys[1].${field}: ` +
        "item 1 of this list has the same; each must be different",
    ]);
  });
});

describe("secrets that the environment holds", () => {
  const yaml = `
gpu_monitoring: { token_env: MONITOR_TOKEN }
workers: [{ id: a, url: "http://a", api_key_env: NODE_KEY }, { id: b, url: "http://b" }]`;

  test("are put beside the setting that names the variable", () => {
    const { config } = loadYaml(yaml, { MONITOR_TOKEN: "t0k", NODE_KEY: " k3y\n" });
    expect(config.gpu_monitoring.token).toBe("t0k");
    expect(config.workers.map((worker) => worker.api_key)).toEqual(["k3y", null]);
  });

  test("are missed by name when they are not set", () => {
    expect(problemsIn(yaml, { NODE_KEY: " " })).toEqual([
      "config.yaml:2: gpu_monitoring.token_env: the environment variable MONITOR_TOKEN is not set",
      "config.yaml:3: workers[0].api_key_env: the environment variable NODE_KEY is not set",
    ]);
  });

  test("must be fit for a header", () => {
    const problems = problemsIn(yaml, { MONITOR_TOKEN: "t", NODE_KEY: `${CANARY} \n x` });
    expect(problems).toEqual([
      expect.stringContaining("NODE_KEY holds characters that cannot be sent"),
    ]);
    expect(problems.join()).not.toContain(CANARY);
  });
});
