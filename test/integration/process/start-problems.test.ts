import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { openRouterProcess } from "../../support/router-process.ts";
import type { RouterProcessOptions } from "../../support/router-process.ts";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly folder: string;
}

async function ended(options: RouterProcessOptions): Promise<Ended> {
  const router = openRouterProcess(options);
  const status = await router.exit;
  const { stdout, stderr, folder } = router;
  return { status, stdout, stderr, folder };
}

describe("a start that cannot be is one sentence and exit status 1", () => {
  test("where the port is taken, it names API_PORT", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const { status, stdout, stderr } = await ended({ env: { API_PORT: String(port) } });
    taken.close();
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(new RegExp(`^port ${port} is taken: .* API_PORT=\\d+ .*\\n$`));
  });

  test("where the host is another machine's, it names API_HOST", async () => {
    // An address of the range that is reserved for documentation.
    const { status, stdout, stderr } = await ended({ env: { API_HOST: "203.0.113.1" } });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^this machine has no address 203\.0\.113\.1: set API_HOST .*\n$/);
  });

  test("where CONFIG_PATH names no file, it names the path and never starts the demo", async () => {
    const { status, stdout, stderr, folder } = await ended({ env: { CONFIG_PATH: "no.yaml" } });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `CONFIG_PATH: ${folder}/no.yaml: there is no such file; config.example.yaml is a start\n`,
    );
  });

  test("where production has no config, it says how to get one", async () => {
    const { status, stdout, stderr } = await ended({ env: { NODE_ENV: "production" } });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^config\.yaml: there is none in .* copy config\.example\.yaml to .*\n$/,
    );
  });

  test("where the config is wrong, it is a line for each mistake", async () => {
    const config = "api:\n  prt: 9000\n  host: 5\n";
    const { status, stdout, stderr } = await ended({ config });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr.split("\n")).toEqual([
      "config.yaml:2: api.prt: unknown key, did you mean api.port?",
      expect.stringMatching(/^config\.yaml:3: api\.host: found 5, must be /),
      "",
    ]);
  });

  test("where an argument is unknown, it names the one that there is", async () => {
    const { status, stdout, stderr } = await ended({ args: ["--chekc-config"] });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^unknown argument --chekc-config: there is only --check-config;.*\n$/);
  });
});

describe("--check-config", () => {
  const args = ["--check-config"];

  test("says that a good file is valid, with its notices, and does not listen", async () => {
    const config = 'api: { host: "0.0.0.0" }\n';
    const env = { LOGGING_URL: "http://127.0.0.1:1" };
    const { status, stdout, stderr, folder } = await ended({ config, env, args });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n")).toEqual([
      `${folder}/config.yaml`,
      expect.stringMatching(/^network\.allowed_cidrs is empty/),
      "the config is valid",
      "",
    ]);
  });

  test("prints every problem of a bad one, of file and environment, and exits with 1", async () => {
    const config = "api: { port: 70000 }\nworkers: [{ id: a, url: ftp://b }]\n";
    const env = { API_DEBUG: "maybe", API_PORT: "" };
    const { status, stdout, stderr } = await ended({ config, env, args });
    expect([status, stdout]).toEqual([1, ""]);
    const places = stderr.trimEnd().split("\n");
    expect(places.map((line) => line.split(": ").slice(0, 2).join(": ")).toSorted()).toEqual([
      "API_DEBUG: api.debug",
      "config.yaml:1: api.port",
      "config.yaml:2: workers[0].url",
    ]);
  });

  test("without a file, says that the demo would start", async () => {
    const { status, stdout } = await ended({ args });
    expect(status).toBe(0);
    expect(stdout).toBe("no config.yaml: the demo would start\nthe config is valid\n");
  });
});
