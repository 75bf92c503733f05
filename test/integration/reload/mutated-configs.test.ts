import { hash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApp, KNOWN_NAMES, type App } from "../../../src/app.ts";
import { loadConfig, type LoadedConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/schema.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog, type LogLine } from "../../support/fleet-builders.ts";
import { BASE_CONFIG, mutatedConfig, PLAIN_KEYS } from "./config-mutations.ts";

const RUNS = 1000;
const folder = mkdtempSync(join(tmpdir(), "router-mutations-"));
const env = { CONFIG_PATH: join(folder, "config.yaml") };

let app: App;
let lines: readonly LogLine[];
/** What must be in force, whole. */
let inForce: Config;

function load(text: string): LoadedConfig {
  writeFileSync(env.CONFIG_PATH, text);
  return loadConfig({ env, cwd: folder, names: KNOWN_NAMES });
}

beforeAll(async () => {
  inForce = load(BASE_CONFIG).config;
  const kept = keepingLog();
  ({ lines } = kept);
  const parts = { clock: new FakeClock(), log: kept.log, version: "0.0.0", demoKey: null };
  app = await createApp({ ...parts, config: inForce });
});

afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

/** What the router does now, seen from outside: keys, limits, network, strategy, workers, timeouts. */
async function effects() {
  const quotas = await Promise.all(PLAIN_KEYS.map((key) => ask("/api/v1/quotas", key)));
  const limits = quotas.map(({ statusCode, body }) => {
    if (statusCode !== 200) return statusCode;
    const { user_id, gpus, requests, priority, tokens } = JSON.parse(body) as QuotaBody;
    const tokenLimit = tokens?.limit ?? null;
    return [user_id, gpus.limit, requests.limit, priority.limit, tokenLimit];
  });
  const key = PLAIN_KEYS.find((_, index) => quotas[index]!.statusCode === 200) ?? "";
  return { limits, ...(key !== "" && (await effectsFor(key))), ...(await network()) };
}

async function effectsFor(key: string) {
  const body = { model_id: "m1", priority: 1, payload: { messages: [] } };
  const explained = await ask("/api/v1/route/explain", key, { body });
  const { strategy, candidates } = JSON.parse(explained.body) as ExplainBody;
  const tooLong = await ask("/v1/chat/completions", key, {
    body: { model: "m1", messages: [] },
    headers: { "x-timeout-ms": "99999999999", "x-priority": "1" },
  });
  const longestMs = /from 1 to ([\d.]+) /.exec(tooLong.body)?.[1];
  return { strategy, workers: candidates.map(({ worker_id }) => worker_id), longestMs };
}

async function network() {
  const inside = await app.server.inject({ url: "/health/live", remoteAddress: "10.1.2.3" });
  return { network: inside.statusCode };
}

interface QuotaBody {
  readonly user_id: string;
  readonly gpus: { readonly limit: number };
  readonly requests: { readonly limit: number };
  readonly priority: { readonly limit: number };
  readonly tokens: { readonly limit: number } | null;
}

interface ExplainBody {
  readonly strategy: string;
  readonly candidates: readonly { readonly worker_id: string }[];
}

/** Always let in; another one each time, because many bad keys from one address are throttled. */
function freshLoopback(): string {
  asked += 1;
  return `127.${(asked >> 16) & 255}.${(asked >> 8) & 255}.${asked & 255}`;
}

let asked = 0;

async function ask(
  url: string,
  key: string,
  {
    body,
    headers = {},
  }: { readonly body?: object; readonly headers?: Record<string, string> } = {},
) {
  const authorization = `Bearer ${key}`;
  const method = body ? "POST" : "GET";
  return app.server.inject({
    ...{ url, method, remoteAddress: freshLoopback(), headers: { authorization, ...headers } },
    ...(body && { payload: body }),
  });
}

/** The same, worked out from a config alone. */
function effectsOf(config: Config) {
  const { auth, load_balancer: balancer, workers, request_router: router } = config;
  const owners = PLAIN_KEYS.map((key) => {
    const sha256 = hash("sha256", key, "hex");
    return auth.keys.find((entry) => entry.sha256 === sha256)?.user;
  });
  const limits = owners.map((user) => (user === undefined ? 401 : limitsOf(config, user)));
  const seen = {
    strategy: balancer.strategy,
    workers: workers.map(({ id }) => id),
    longestMs: String(router.max_timeout * 1000),
  };
  const hasKey = owners.some((user) => user !== undefined);
  return { limits, ...(hasKey && seen), network: isAllowed(config, "10.1.2.3") ? 200 : 403 };
}

function limitsOf({ users, user_quota_manager: manager }: Config, user: string) {
  const none = { gpu_limit: null, request_limit: null, priority_limit: null, token_limit: null };
  const own = users.find(({ id, expiration_time }) => id === user && expiration_time === null);
  const { gpu_limit, request_limit, priority_limit, token_limit } = own ?? none;
  return [
    user,
    gpu_limit ?? manager.default_gpu_limit,
    request_limit ?? manager.default_request_limit,
    priority_limit ?? manager.default_priority_limit,
    token_limit,
  ];
}

function isAllowed({ network: { allowed_cidrs } }: Config, address: string): boolean {
  const list = new BlockList();
  for (const cidr of allowed_cidrs) {
    const [base = "", bits = "32"] = cidr.split("/");
    list.addSubnet(base, Number(bits), base.includes(":") ? "ipv6" : "ipv4");
  }
  return allowed_cidrs.length === 0 || list.check(address);
}

test(`F63 ${RUNS} mutated configs: each counts whole or not at all, and none is a crash`, async ({
  annotate,
}) => {
  const outcomes = { applied: 0, unchanged: 0, refused: 0 };
  let restarts = 0;
  const reload = async (seed: number): Promise<void> => {
    const text = mutatedConfig(seed);
    const outcome = app.reload(() => load(text));
    outcomes[outcome.kind] += 1;
    if (outcome.kind === "applied") inForce = outcome.loaded.config;
    if (outcome.kind === "refused") {
      expect(outcome.problems.join("\n"), text).not.toMatch(/^\w*Error\b/m);
      if (outcome.problems.some((problem) => problem.includes("needs a restart"))) restarts += 1;
    }
    expect(await effects(), text).toEqual(effectsOf(inForce));
  };
  // A failure is told with the seed of the whole run and with that of its config.
  const seeds = fc.noBias(fc.integer());
  await fc.assert(fc.asyncProperty(seeds, reload), { numRuns: RUNS, endOnFailure: true });
  expect(outcomes.applied).toBeGreaterThan(RUNS / 10);
  expect(outcomes.refused).toBeGreaterThan(RUNS / 10);
  expect(restarts).toBeGreaterThan(2);
  expect(lines.filter(({ level }) => level === "error")).toHaveLength(outcomes.refused);
  const applied = app.reload(() => load(BASE_CONFIG));
  expect(applied.kind).not.toBe("refused");
  await annotate(JSON.stringify({ ...outcomes, restarts }));
}, 60_000);
