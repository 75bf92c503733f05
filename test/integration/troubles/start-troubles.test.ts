import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../house/source-text.ts";
import { words } from "../../support/documented-words.ts";
import { openRouterProcess } from "../../support/router-process.ts";
import type { RouterProcessOptions } from "../../support/router-process.ts";

/** Node's own files and sockets, as they are on machines that tests cannot be. */
const PRIVILEGED_PORT = `
  const { Server } = process.getBuiltinModule("node:net");
  Server.prototype.listen = function () {
    process.nextTick(() => this.emit("error", Object.assign(new Error("x"), { code: "EACCES" })));
    return this;
  };`;
const UNREADABLE_FILE = `
  const fs = process.getBuiltinModule("node:fs");
  const read = fs.readFileSync;
  fs.readFileSync = (path, ...rest) => {
    if (!String(path).endsWith("config.yaml")) return read(path, ...rest);
    throw Object.assign(new Error("x"), { code: "EACCES" });
  };
  process.getBuiltinModule("node:module").syncBuiltinESMExports();`;
const OLD_NODE = `
  Object.defineProperty(process.versions, "node", { value: "20.20.2" });
  await import("${pathToFileURL(`${ROOT}src/require-node.js`).href}");`;

const NO_MONITOR = "gpu_monitoring: { url: null }\n";

const preload = (code: string): RouterProcessOptions => ({ preload: encodeURIComponent(code) });

const STATES: readonly (readonly [state: string, options: RouterProcessOptions, says: RegExp])[] = [
  [
    "on a port that is root's",
    { ...preload(PRIVILEGED_PORT), env: { API_PORT: "80" }, config: NO_MONITOR },
    words("port … needs more rights than this process has: choose one from 1024 up with API_PORT"),
  ],
  [
    "at another machine's address",
    { env: { API_HOST: "203.0.113.1" } },
    words(
      "this machine has no address …: set API_HOST (api.host in the config) to one that it has",
    ),
  ],
  [
    "with a CONFIG_PATH to nowhere",
    { env: { CONFIG_PATH: "no.yaml" } },
    words("CONFIG_PATH: …: there is no such file; config.example.yaml is a start"),
  ],
  [
    "with a file of another user's",
    { ...preload(UNREADABLE_FILE), config: NO_MONITOR },
    words("config.yaml: this process may not read it: let its user read it (chown, chmod)"),
  ],
  [
    "in production without a file",
    { env: { NODE_ENV: "production" } },
    words("config.yaml: there is none in …, and NODE_ENV=production never starts the demo"),
  ],
  [
    "with a file that is no YAML",
    { config: "api:\n  port: 0\n host: x\n" },
    words("config.yaml: line …, column …: …"),
  ],
  [
    "with a mistyped key",
    { config: "network: { allowed_cidr: [] }\n" },
    words("config.yaml:…: …: unknown key, did you mean …?"),
  ],
  [
    "with a URL without its scheme",
    { config: 'gpu_monitoring: { url: "monitor:8080" }\n' },
    words("config.yaml:…: …: found …, must be …"),
  ],
  [
    "without a worker's secret",
    { config: 'workers: [{ id: a, url: "http://a:8000", api_key_env: A_KEY }]\n' },
    words("config.yaml:…: …: the environment variable … is not set"),
  ],
  [
    "with a key itself in the file",
    { config: "auth: { keys: [{ id: a, user: alice, role: user, key: secret }] }\n" },
    words(
      "a plain key must not stand in a file: run npm run key …, and paste the entry that it prints",
    ),
  ],
  [
    "with a mistyped argument",
    { args: ["--chekc-config"] },
    words("unknown argument …: there is only --check-config"),
  ],
  [
    "on an old Node",
    preload(OLD_NODE),
    words("gpu-request-router needs Node.js 24 or later; this is …"),
  ],
];

describe("a start that cannot be says why, and how to mend it", () => {
  test.each(STATES)("%s", async (_state, options, says) => {
    const router = openRouterProcess(options);
    expect(await router.exit).toBe(1);
    expect(router.stderr).toMatch(says);
    expect(router.stderr).not.toContain("    at ");
    expect(router.stdout).toBe("");
  });

  test("on a port that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const router = openRouterProcess({ env: { API_PORT: String(port) } });
    const status = await router.exit;
    taken.close();
    expect(status).toBe(1);
    expect(router.stderr).toMatch(
      words("port … is taken: stop what listens there, or choose another port with API_PORT=…"),
    );
  });
});

test("a start without a file says that it is the demo", async () => {
  const router = openRouterProcess();
  await router.printed(
    words("gpu-request-router: demo mode. The four GPUs are simulated; the routing is real."),
  );
});

test("a config without keys, workers and network says what is missing, and with what to fill it", async () => {
  const router = openRouterProcess({ config: NO_MONITOR });
  await router.printed(/no workers configured/);
  const told = router.log.map(({ msg }) => msg);
  for (const missing of [
    words("no API keys configured: run npm run key -- --user <name> --role admin"),
    words("no workers configured: list your inference servers under workers: in config.yaml"),
    words("network.allowed_cidrs is empty: every address that can reach … may try keys"),
  ]) {
    expect(told).toContainEqual(expect.stringMatching(missing));
  }
});

test("one that listens on loopback only does not warn of an open network", async () => {
  const router = openRouterProcess({ config: NO_MONITOR, env: { API_HOST: "127.0.0.1" } });
  await router.printed(/no workers configured/);
  expect(router.stdout).not.toContain("network.allowed_cidrs");
});
