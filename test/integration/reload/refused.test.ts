import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/config/load.ts";
import { NEEDS_RESTART } from "../../../src/config/reload.ts";
import type { Config } from "../../../src/config/schema.ts";
import { as } from "../../support/job-api.ts";
import { startStubWorker, type StubWorker } from "../../support/stub-worker.ts";
import { startTestRouter, type TestRouter } from "../../support/test-router.ts";
import { explain, Reloader, type Changes } from "./reload-setup.ts";

let stub: StubWorker;
let router: TestRouter;
let edit: Reloader;

beforeEach(async () => {
  stub = await startStubWorker();
  router = await startTestRouter({ workers: [stub] });
  edit = new Reloader(router);
});

afterEach(async () => {
  await router.close();
  await stub.close();
});

const lines = (part: string) => router.logs.filter(({ message }) => message.includes(part));

async function reloadsCounted(outcome: string): Promise<number> {
  const text = await (await router.get("/api/v1/metrics", as(router.keys.admin))).text();
  const line = new RegExp(`^router_config_reloads_total\\{outcome="${outcome}"\\} (\\d+)$`, "m");
  return Number(line.exec(text)?.[1] ?? 0);
}

const KEPT = "config not reloaded, the old one stays in force";

test("F63 another port is refused whole: the valid change beside it does not count either", async () => {
  const outcome = edit.try({
    api: { port: 1234 },
    load_balancer: { strategy: "least_requests" },
    auth: { keys: [] },
  });
  const problem = "api.port: changing it needs a restart (the router listens there)";
  expect(outcome).toEqual({ kind: "refused", problems: [problem] });
  expect((await explain(router)).strategy).toBe("hybrid");
  expect(lines(KEPT)).toMatchObject([{ level: "error", fields: { problems: [problem] } }]);
  expect(await reloadsCounted("refused")).toBe(1);
  expect(await reloadsCounted("applied")).toBe(0);
});

test("each setting that needs a restart has a sentence, and all of them come together", () => {
  const changes = {
    api: { host: "127.0.0.2", port: 1, body_limit_mb: 1 },
    user_quota_manager: { quota_check_interval: 1 },
    jobs: { ttl: 1, max_mb: 1 },
    logging: { url: "http://logs:1", format: "loki", trace_file: "x" },
  } satisfies Changes;
  const outcome = edit.try(changes);
  const named = outcome.kind === "refused" ? outcome.problems.map((p) => p.split(":")[0]) : [];
  expect(new Set(named)).toEqual(new Set(Object.keys(NEEDS_RESTART)));
});

test("F63 a config with problems keeps the old one, and one line tells all of them", async () => {
  const problems = ["config.yaml:3: api.prot: unknown", "config.yaml:4: workers: must be a list"];
  const outcome = router.app.reload(() => {
    throw new ConfigError(problems);
  });
  expect(outcome).toEqual({ kind: "refused", problems });
  expect(lines(KEPT)).toMatchObject([{ level: "error", fields: { problems } }]);
  expect((await explain(router)).chosen).toBe("worker-1");
});

test("a defect while reading passes for a refusal: the router goes on with what it has", async () => {
  const outcome = router.app.reload(() => {
    throw new TypeError("x is not a function");
  });
  expect(outcome).toMatchObject({ kind: "refused", problems: [expect.stringContaining("x is")] });
  expect((await explain(router)).chosen).toBe("worker-1");
});

test("a config that no part can use is refused before anything of it counts", async () => {
  const [key] = edit.config.auth.keys;
  const twins = { keys: [key!, { ...key!, id: "twin" }] };
  const outcome = edit.try({ load_balancer: { strategy: "least_requests" }, auth: twins });
  expect(outcome).toMatchObject({ kind: "refused" });
  expect((await explain(router)).strategy).toBe("hybrid");
});

test("a config that says the same changes nothing, and only debug tells of it", async () => {
  expect(edit.try({})).toEqual({ kind: "unchanged" });
  expect(lines("config ")).toMatchObject([{ level: "debug" }]);
  expect(await reloadsCounted("unchanged")).toBe(1);
});

describe("the line about what was applied", () => {
  test("names the settings by their paths, and no value of them", async () => {
    const secret = `whsec_${Buffer.alloc(24, 9).toString("base64")}`;
    edit.apply({
      callbacks: { secrets: { user: secret } },
      gpu_monitoring: { token_env: "TOKEN", token: "token-in-the-clear" },
      workers: [edit.worker({ api_key_env: "KEY", api_key: "sk-in-the-clear" })],
      auth: { keys: edit.config.auth.keys.slice(1) },
    });
    const changed = ["gpu_monitoring.token_env", "callbacks.secrets", "workers", "auth.keys"];
    expect(lines("config reloaded")).toMatchObject([{ level: "info", fields: { changed } }]);
    const text = JSON.stringify(router.logs);
    expect(text).not.toMatch(/whsec_|in-the-clear/);
    for (const { sha256 } of router.config.auth.keys) expect(text).not.toContain(sha256);
    expect(await reloadsCounted("applied")).toBe(1);
  });

  test("and of what was refused neither", () => {
    const secret = `whsec_${Buffer.alloc(24, 9).toString("base64")}`;
    edit.try({ callbacks: { secrets: { user: secret } }, api: { port: 1 } } satisfies {
      readonly [Section in keyof Config]?: Partial<Config[Section]>;
    });
    expect(JSON.stringify(router.logs)).not.toContain("whsec_");
  });
});
