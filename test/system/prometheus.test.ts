import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { generateKey } from "../../src/http/keys.ts";
import { tableRows } from "../house/markdown.ts";
import { ROOT } from "../house/source-text.ts";
import { RouterProcess } from "../support/router-process.ts";
import { error } from "../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../support/stub-monitoring-service.ts";
import type { StubMonitoringService } from "../support/stub-monitoring-service.ts";
import { startStubWorker } from "../support/stub-worker.ts";
import type { StubWorker } from "../support/stub-worker.ts";
import { deployedFolder, hasTool, PrometheusServer, promtool } from "./prometheus-server.ts";

const operator = generateKey();
const alice = generateKey();
/** As a monitor may report it: printable ASCII. */
const ODD_GPU = 'GPU "1"\\{x="y"},';
const CHAT = "/v1/chat/completions";

describe.skipIf(!hasTool("promtool"))("by promtool (Debian: prometheus)", () => {
  let folder: string;

  beforeAll(() => {
    folder = deployedFolder(ROOT, operator.key);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test("the scrape config is valid, with its rules and the file of the key", () => {
    const { status, says } = promtool(["check", "config", join(folder, "prometheus.yml")]);
    expect(says).toMatch(/SUCCESS: \d\d rules found/);
    expect(status, says).toBe(0);
  });

  test("every alert fires when it should, and none while all is well", () => {
    const { status, says } = promtool(["test", "rules", join(folder, "alerts.test.yml")]);
    expect(status, says).toBe(0);
  });

  test("every expression of the dashboard is one that Prometheus understands", () => {
    const expressions = dashboardExpressions();
    expect(expressions.length).toBeGreaterThan(50);
    const rules = expressions.map((expr, index) => ({ record: `panel:expr${index}`, expr }));
    const path = join(folder, "panels.yml");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "panels", rules }] }));
    const { status, says } = promtool(["check", "rules", path]);
    expect(status, says).toBe(0);
  });
});

/** With what Grafana would put in the place of its variables. */
function dashboardExpressions(): readonly string[] {
  const text = readFileSync(`${ROOT}deploy/grafana/dashboards/gpu-request-router.json`, "utf8");
  const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] };
  return panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*"));
}

describe.skipIf(!hasTool("prometheus"))("by a real Prometheus (Debian: prometheus)", () => {
  let monitor: StubMonitoringService;
  let workers: readonly StubWorker[];
  let router: RouterProcess;
  let address: string;
  let prometheus: PrometheusServer;

  beforeAll(async () => {
    monitor = await startStubMonitoringService({ gpus: [reportedGpu(ODD_GPU)] });
    workers = await Promise.all([startStubWorker(), startStubWorker()]);
    for (const worker of workers) worker.metricsText = "vllm:num_requests_running 1\n";
    router = new RouterProcess({ config: routerConfig() });
    address = await router.address();
    await vi.waitFor(async () => expect(await health()).toContain('"up":2'), SOON);
    await sendTraffic();
    prometheus = new PrometheusServer(scrapingFolder(), "prometheus.yml");
    await vi.waitFor(async () => expect(await prometheus.value(SCRAPED)).toBe(1), SOON);
  });

  afterAll(async () => {
    await prometheus.close();
    await router.close();
    await Promise.all([monitor.close(), ...workers.map((worker) => worker.close())]);
  });

  function routerConfig(): string {
    return JSON.stringify({
      api: { host: "127.0.0.1" },
      gpu_monitoring: { url: monitor.url, update_interval: 0.2 },
      request_router: { retry_delay: 0.01 },
      workers: [
        { id: "w1", url: workers[0]!.url, engine: "vllm", gpus: [ODD_GPU] },
        { id: "w2", url: workers[1]!.url, engine: "vllm", gpus: [] },
      ],
      auth: {
        keys: [
          { id: "prometheus", user: "prometheus", role: "operator", sha256: operator.sha256 },
          { id: "alice", user: "alice", role: "user", sha256: alice.sha256 },
        ],
      },
    });
  }

  async function health(): Promise<string> {
    return (await fetch(`${address}/health`)).text();
  }

  /** 21 answers, one of them after a retry; a model that nobody has; a key that nobody has. */
  async function sendTraffic(): Promise<void> {
    for (let sent = 0; sent < 20; sent++) expect(await ask("stub-model", alice.key)).toBe(200);
    for (const worker of workers) worker.next(error(500, "out of memory"));
    expect(await ask("stub-model", alice.key)).toBe(200);
    expect(await ask("no-such-model", alice.key)).toBe(404);
    expect(await ask("stub-model", generateKey().key)).toBe(401);
  }

  async function ask(model: string, key: string): Promise<number> {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
    const answer = await fetch(address + CHAT, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** The deployed config, with the router's real address and a scrape each second. */
  function scrapingFolder(): string {
    const folder = deployedFolder(ROOT, operator.key);
    const path = join(folder, "prometheus.yml");
    const deployed = load(readFileSync(path, "utf8")) as { scrape_configs: object[] };
    const [job] = deployed.scrape_configs;
    const global = { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" };
    const targets = [{ targets: [new URL(address).host] }];
    const jobs = [{ ...job, static_configs: targets }];
    writeFileSync(path, JSON.stringify({ ...deployed, global, scrape_configs: jobs }));
    return folder;
  }

  test("is let in by the key in its file, and understands all that it reads", async () => {
    expect(await prometheus.value('up{job="gpu-request-router"}')).toBe(1);
    const data = await prometheus.api("targets?state=active");
    const { activeTargets } = data as { activeTargets: { lastError: string }[] };
    expect(activeTargets.map(({ lastError }) => lastError)).toEqual([""]);
  });

  test("has every documented metric", async () => {
    const rows = tableRows(
      readFileSync(`${ROOT}docs/metrics.md`, "utf8"),
      "## The router's own metrics",
    );
    const documented = rows.flatMap(([cell = "", type]) => {
      const name = cell.replaceAll("`", "");
      return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
    });
    const stored = (await prometheus.api("label/__name__/values")) as readonly string[];
    expect(stored.filter((name) => name.startsWith("router_")).toSorted()).toEqual(
      documented.toSorted(),
    );
  });

  test("has the figures of what was sent", async () => {
    const values = {
      [`router_requests_total{path="${CHAT}",status="200"}`]: 21,
      [`router_requests_total{path="${CHAT}",status="404"}`]: 1,
      'router_errors_total{code="MODEL_NOT_FOUND"}': 1,
      'router_errors_total{code="UNAUTHORIZED"}': 1,
      "sum(router_errors_total)": 2,
      // There before anything happened, so that rate() sees the first one.
      'router_errors_total{code="QUEUE_FULL"}': 0,
      'router_attempts_total{worker_id="w1",class="connection"}': 0,
      'router_shed_requests_total{band="1"}': 0,
      'router_rejections_total{filter="serves_model"}': 1,
      "sum(router_retries_total)": 2,
      'sum(router_attempts_total{class="success"})': 21,
      'sum(router_attempts_total{class!="success"})': 2,
      'router_decisions_total{outcome="nobody"}': 1,
      'router_tokens_total{kind="prompt"}': 105,
      router_first_byte_seconds_count: 21,
      "sum(router_worker_up)": 2,
      "sum(router_worker_reported_requests)": 2,
      "sum(router_leases)": 0,
      router_source_up: 1,
      "router_event_loop_delay_seconds_count > bool 4": 1,
      'router_memory_used_ratio{memory="process"} > bool 0': 1,
      "router_connection_limit > bool 100": 1,
    };
    for (const [expr, value] of Object.entries(values)) {
      expect([expr, await prometheus.value(expr)]).toEqual([expr, value]);
    }
  });

  test("has ids of GPUs as the monitor reports them, quotes and backslashes included", async () => {
    const ids = (await prometheus.api("label/gpu_id/values")) as readonly string[];
    expect(ids).toEqual([ODD_GPU]);
  });

  test("evaluates every alert without an error, and has nothing to tell", async () => {
    const states = async (): Promise<ReadonlySet<string>> => {
      const { groups } = (await prometheus.api("rules")) as RuleGroups;
      return new Set(
        groups.flatMap(({ rules }) =>
          rules.map(({ name, health: how, state }) => {
            // On a busy machine the loop may well be late, though not for the minutes of the rule.
            const isBusy = name === "EventLoopSlow" && state === "pending";
            return `${how} ${isBusy ? "inactive" : state}`;
          }),
        ),
      );
    };
    // Before the first scrape the router looks as if it were down.
    await expect.poll(states, SOON).toEqual(new Set(["ok inactive"]));
  });

  test.skipIf(!hasTool("promtool"))("promtool has nothing to say about the text", async () => {
    const headers = { authorization: `Bearer ${operator.key}` };
    const text = await (await fetch(`${address}/api/v1/metrics`, { headers })).text();
    expect(text).toContain("router_requests_total");
    expect(promtool(["check", "metrics"], text)).toEqual({ status: 0, says: "" });
  });
});

interface RuleGroups {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly name: string;
      readonly health: string;
      readonly state: string;
    }[];
  }[];
}

/** 1 once a scrape is stored whole: this is of the last family that the router writes. */
const SCRAPED = "count(nodejs_version_info)";

/** Scrapes come once a second. */
const SOON = { timeout: 60_000, interval: 100 };
