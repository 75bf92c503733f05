import { expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 0xfb).toString("base64")}`;
const withSecret = (secret: string) => `api: { host: 127.0.0.1 }
callbacks: { secrets: { alice: "${secret}" } }`;

test.each([24, 32, 64])("a secret of %i bytes is taken", (bytes) => {
  const { config, notices } = loadYaml(withSecret(secretOf(bytes)));
  expect(config.callbacks.secrets).toEqual({ alice: secretOf(bytes) });
  expect(notices).toEqual([]);
});

test.each([
  ["23 bytes", secretOf(23)],
  ["65 bytes", secretOf(65)],
  ["no prefix", secretOf(32).slice("whsec_".length)],
  ["another prefix", secretOf(32).replace("whsec_", "whsek_")],
  ["base64url", secretOf(32).replaceAll("+", "-")],
  ["no padding", secretOf(32).replaceAll("=", "")],
  ["a line of text", "correct horse battery staple"],
])("a secret of %s is refused with the command that makes one", (_, secret) => {
  expect(problemsIn(withSecret(secret))).toEqual([
    "config.yaml:2: callbacks.secrets.alice: found text that is not shown here, must be whsec_ " +
      'and the base64 of 24 to 64 random bytes: echo "whsec_$(openssl rand -base64 32)" makes one',
  ]);
});

test("allowed hosts are spelled as URLs spell them", () => {
  const yaml = 'callbacks: { allowed_hosts: [Hooks.LAN, 10.0.0.5, "fd00::0:1"] }';
  expect(loadYaml(`api: { host: 127.0.0.1 }\n${yaml}`).config.callbacks.allowed_hosts).toEqual([
    "hooks.lan",
    "10.0.0.5",
    "[fd00::1]",
  ]);
});
