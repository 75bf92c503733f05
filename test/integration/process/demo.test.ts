import { execFile, execFileSync, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRouterProcess, RouterProcess } from "../../support/router-process.ts";

const run = promisify(execFile);
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

/** The command as someone would paste it. */
function curlIn(banner: string): string {
  return /^ *curl (?:.*\\\n)*.*$/m.exec(banner)?.[0] ?? "";
}

/** What the shell makes of it. */
function argumentsOf(command: string): readonly string[] {
  const script = `curl() { printf '%s\\n' "$@"; }\n${command}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).trim().split("\n");
}

function keysIn(banner: string): readonly string[] {
  return /Key +(\S+) .*\n +(\S+) /.exec(banner)?.slice(1) ?? [];
}

function bearer(key: string): { readonly headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } };
}

const hello = { model: "demo-small", messages: [{ role: "user", content: "Hello" }] };

describe("npm start without a config", () => {
  let demo: RouterProcess;
  let address: string;
  let banner: string;

  beforeAll(async () => {
    demo = new RouterProcess({});
    address = await demo.address();
    // Requests that come before the first round of polls would find every worker starting.
    await demo.printed(/(?:"to":"up"[^]*){4}/);
    banner = demo.stdout.slice(0, demo.stdout.indexOf('\n{"'));
  });

  afterAll(() => demo.close());

  test("prints the banner before anything else, with the address that it really has", () => {
    expect(demo.stdout).toMatch(/^\n {2}gpu-request-router: demo mode\./);
    expect(demo.stderr).toBe("");
    expect(new URL(address).hostname).toBe("127.0.0.1");
    expect(Number(new URL(address).port)).toBeGreaterThan(0);
    for (const line of [`API    ${address}`, `Docs   ${address}/docs`, "Key    demo "]) {
      expect(banner).toContain(line);
    }
  });

  test("its curl command is an accepted request as it stands", async () => {
    const args = argumentsOf(curlIn(banner));
    const url = args.find((arg) => arg.startsWith("http")) ?? "";
    const lines = args.filter((_, index) => args[index - 1] === "-H");
    const headers = lines.map((line) => line.split(": ") as [string, string]);
    const response = await fetch(url, { method: "POST", headers, body: args.at(-1) ?? "" });
    expect(response.status).toBe(200);
    expect(banner).toContain("x-worker-id and x-gpu-id");
    expect(response.headers.get("x-worker-id")).toMatch(/^(h100|a100|l40s|rtx4090)$/);
    expect(response.headers.get("x-gpu-id")).toMatch(/^gpu-/);
  });

  test.skipIf(!hasCurl)(
    "its curl command answers when pasted, and streams as it says",
    async () => {
      const command = curlIn(banner);
      const { stdout: whole } = await run("bash", ["-c", command]);
      expect(whole).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(whole).toContain("Simulated answer");
      expect(banner).toContain('add\n  "stream": true after the model');
      const streaming = command.replace('"demo-small",', '"demo-small", "stream": true,');
      const { stdout: streamed } = await run("bash", ["-c", streaming]);
      expect(streamed).toContain("content-type: text/event-stream");
      expect(streamed.trimEnd().endsWith("data: [DONE]")).toBe(true);
    },
  );

  test("both keys work, and only the first is an admin's", async () => {
    expect(keysIn(banner)).toEqual(["demo", "demo-limited"]);
    const url = `${address}/v1/chat/completions`;
    const statuses: number[][] = [];
    for (const key of keysIn(banner)) {
      const init = { ...bearer(key), method: "POST", body: JSON.stringify(hello) };
      const chat = await fetch(url, init);
      const metrics = await fetch(`${address}/api/v1/metrics`, bearer(key));
      statuses.push([chat.status, metrics.status]);
    }
    expect(statuses).toEqual([
      [200, 200],
      [200, 403],
    ]);
  });

  test("the models that it names are those that are served, and the docs page is there", async () => {
    const list = await fetch(`${address}/v1/models`, bearer("demo"));
    const { data } = (await list.json()) as { data: { id: string }[] };
    const named = /Models: (.*)\./.exec(banner)?.[1]?.split(", ") ?? [];
    expect(data.map(({ id }) => id).toSorted()).toEqual(named.toSorted());
    const docs = await fetch(`${address}/docs`);
    expect([docs.status, docs.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/html"),
    ]);
  });
});

describe("the demo on an address that others can reach", () => {
  test("has random keys, refuses the well-known one, and warns", async () => {
    const env = { API_HOST: "0.0.0.0" };
    const demo = openRouterProcess({ env });
    const address = await demo.address();
    await demo.printed(/"msg":"network\.allowed_cidrs is empty/);
    const [key = "", limited = ""] = keysIn(demo.stdout);
    expect(key).toMatch(/^gr_live_/);
    expect(limited).toMatch(/^gr_live_/);
    expect(limited).not.toBe(key);
    expect(argumentsOf(curlIn(demo.stdout))).toContain(`Authorization: Bearer ${key}`);
    const status = async (each: string): Promise<number> =>
      (await fetch(`${address}/v1/models`, bearer(each))).status;
    expect(await Promise.all(["demo", "demo-limited", key, limited].map(status))).toEqual([
      401, 401, 200, 200,
    ]);
  });
});
