import { describe, expect, test } from "vitest";
import { FakeClock } from "../../support/fake-clock.ts";
import { ctl, refusal } from "./ctl-setup.ts";

describe("help", () => {
  test.each([[[]], [["--help"]], [["gpus", "-h"]]])("%j prints it", async (argv) => {
    const { exitCode, stdout, stderr, calls } = await ctl(argv);
    expect({ exitCode, stderr, calls }).toEqual({ exitCode: 0, stderr: "", calls: [] });
    expect(stdout).toMatch(/^Usage: npm run ctl -- <command>/);
    for (const name of ["gpus", "drain <gpu or worker>", "explain --model"]) {
      expect(stdout).toContain(`\n  ${name}`);
    }
  });
});

describe("a command line that is not understood is 2, with a sentence and without a call", () => {
  test.each([
    [["frobnicate"], 'there is no command "frobnicate"; npm run ctl lists them'],
    [["toString"], 'there is no command "toString"'],
    [["gpus", "extra"], "it goes: npm run ctl -- gpus"],
    [["drain"], "it goes: npm run ctl -- drain <gpu or worker> [reason]"],
    [["clear", "a", "b"], "it goes: npm run ctl -- clear <gpu or worker>"],
    [["gpus", "--key", "k"], "--key"],
    [["gpus", "--model", "m"], "--model, --priority and --user belong to ctl explain"],
    [["explain"], "say what to explain: --model <name>, or a file with the body of a job"],
    [["explain", "--model", "m", "--priority", "6"], "--priority must be 1, 2, 3, 4 or 5"],
    [["explain", "f.json", "--model", "m"], "a file says its own"],
    [["explain", "f.json"], "cannot read f.json: ENOENT"],
    [["gpus", "--key-file", "k"], "--key-file: ENOENT"],
    [["gpus", "--url", "localhost:8000"], "--url must be an http or https URL"],
  ])("%j", async (argv, sentence) => {
    const { exitCode, stdout, stderr, calls } = await ctl(argv);
    expect({ exitCode, stdout, calls }).toEqual({ exitCode: 2, stdout: "", calls: [] });
    expect(stderr).toContain(sentence);
    expect(stderr).toMatch(/^.+\n$/);
  });
});

describe("the key", () => {
  test("comes from ROUTER_API_KEY, and from a file where one is named", async () => {
    const one = await ctl(["gpus"], () => ({ gpus: [], workers: [] }));
    expect(one.calls[0]?.headers.get("authorization")).toBe("Bearer a-key");
    const read = (path: string) => Promise.resolve(`${path}-key\n`);
    const two = await ctl(["gpus", "--key-file", "my"], () => ({ gpus: [], workers: [] }), {
      read,
    });
    expect(two.calls[0]?.headers.get("authorization")).toBe("Bearer my-key");
  });

  test("is not sent on to where the router's address points", async () => {
    const { calls } = await ctl(["gpus"], () => Response.redirect("http://elsewhere/"));
    expect(calls.map(({ redirect }) => redirect)).toEqual(["manual"]);
  });

  test("that is missing is asked for, naming the demo's", async () => {
    const { exitCode, stderr } = await ctl(["gpus"], undefined, { env: {} });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^ROUTER_API_KEY is not set: .*ROUTER_API_KEY=demo/);
  });

  test("is not needed for health, and not sent there without one", async () => {
    const health = { status: "healthy", reasons: [], workers: { up: 1 }, gpus: 0, monitors: [] };
    const { exitCode, calls } = await ctl(["health"], () => health, { env: {} });
    expect(exitCode).toBe(0);
    expect(calls[0]?.headers.has("authorization")).toBe(false);
  });

  test("that cannot be sent is refused without showing it", async () => {
    const env = { ROUTER_API_KEY: "secret\nkey" };
    const { exitCode, stderr } = await ctl(["gpus"], undefined, { env });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("ROUTER_API_KEY must hold one key");
    expect(stderr).not.toContain("secret");
  });
});

test.each([
  [{}, [], "http://localhost:8000/api/v1/gpus"],
  [{ ROUTER_URL: " https://gpu.example/base/ " }, [], "https://gpu.example/base/api/v1/gpus"],
  [{ ROUTER_URL: "http://a:1" }, ["--url", "http://b:2/v1"], "http://b:2/api/v1/gpus"],
])("with %j and %j it calls %s", async (env, argv, url) => {
  const around = { env: { ROUTER_API_KEY: "k", ...env } };
  const { calls } = await ctl(["gpus", ...argv], () => ({ gpus: [], workers: [] }), around);
  expect(calls.map((call) => call.url)).toEqual([url]);
});

describe("a router that does not do it is 1, with one sentence", () => {
  test.each([
    [
      () => refusal(403, "FORBIDDEN", "this route needs a key with the role operator"),
      "FORBIDDEN: this route needs a key with the role operator (HTTP 403)\n",
    ],
    [
      () => refusal(500, "INTERNAL", "bad \u001b[2J name"),
      "INTERNAL: bad \\u001b[2J name (HTTP 500)\n",
    ],
    [
      () => new Response("<html>", { status: 200 }),
      "http://localhost:8000 answered /api/v1/gpus with HTTP 200, and not as a " +
        "gpu-request-router does: set ROUTER_URL to the router's address\n",
    ],
    [() => new Response("null", { status: 200 }), "HTTP 200, and not as"],
    [() => new Response(null, { status: 302 }), "HTTP 302, and not as"],
    [() => Response.json({ detail: "Not Found" }, { status: 404 }), "HTTP 404, and not as"],
    [() => ({ other: true }), "is the router of another version?"],
    [
      () => Promise.reject(new TypeError("fetch failed", { cause: refused() })),
      "no router answers at http://localhost:8000: connection refused (ECONNREFUSED); " +
        "start it, or set ROUTER_URL\n",
    ],
  ])("%s", async (reply, sentence) => {
    const { exitCode, stdout, stderr } = await ctl(["gpus"], reply);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(sentence);
    expect(stderr).toMatch(/^.+\n$/);
  });
});

function refused(): Error {
  return Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
}

test("a router that does not answer is given up after 30 s", async () => {
  const clock = new FakeClock();
  const silent: typeof fetch = (_url, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
    });
  const running = ctl(["gpus"], undefined, { clock, fetch: silent });
  await clock.advanceAsync(30_000);
  const { exitCode, stderr } = await running;
  expect(exitCode).toBe(1);
  expect(stderr).toContain("no router answers at http://localhost:8000: no answer within 30 s");
});

test("--json prints the API's answer, with nothing raw in it", async () => {
  const body = { gpus: [{ name: "\u009b31m" }], workers: [] };
  const { exitCode, stdout } = await ctl(["gpus", "--json"], () => body);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual(body);
  expect(stdout).toContain(String.raw`\u009b31m`);
});
