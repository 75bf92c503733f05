import { readdirSync, readFileSync } from "node:fs";
import { load } from "js-yaml";
import { beforeAll, describe, expect, test } from "vitest";
import { metricsIn } from "./promql.ts";
import { registeredMetrics } from "./registered-metrics.ts";
import { ROOT } from "./source-text.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat?: string;
    readonly datasource: { readonly uid: string };
  }[];
}

interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[];
  };
}

const read = (path: string): string => readFileSync(ROOT + path, "utf8");
const ALERTS_TEXT = read("deploy/prometheus/alerts.yml");
const RULES = (load(ALERTS_TEXT) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const DASHBOARD = JSON.parse(
  read("deploy/grafana/dashboards/gpu-request-router.json"),
) as Dashboard;
const GRAPHS = DASHBOARD.panels.filter(({ type }) => type !== "row");

const expressions: readonly (readonly [where: string, expr: string])[] = [
  ...RULES.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
  ...GRAPHS.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => [`panel ${title}`, expr] as const),
  ),
];

/** Given by Prometheus to all that it scrapes. */
const TARGET_LABELS = ["job", "instance", "le"];

let known: ReadonlyMap<string, { readonly labels: readonly string[] }>;

beforeAll(async () => {
  const registered = await registeredMetrics();
  const names = [...registered].flatMap(([name, { type, labels }]) => {
    const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    return suffixes.map((suffix) => [name + suffix, { labels }] as const);
  });
  known = new Map([...names, ["up", { labels: [] }]]);
});

describe("alerts and dashboard", () => {
  test.each(expressions)("%s asks for metrics and labels that the router has", (_where, expr) => {
    const mentions = metricsIn(expr);
    expect(mentions.length).toBeGreaterThan(0);
    for (const { name, labels } of mentions) {
      const metric = known.get(name);
      expect(metric, name).toBeDefined();
      expect([...TARGET_LABELS, ...metric!.labels]).toEqual(expect.arrayContaining([...labels]));
    }
  });

  test("the reader of expressions finds names and labels, and no words in texts", () => {
    const expr =
      'sum by (path) (rate(router_a_total{code=~"router_b|x", path!="y"}[5m])) / router_c > up';
    expect(metricsIn(expr)).toEqual([
      { name: "router_a_total", labels: ["code", "path"] },
      { name: "router_c", labels: [] },
      { name: "up", labels: [] },
    ]);
  });
});

describe("alerts", () => {
  test.each(RULES)(
    "$alert says how bad it is, what it is, what to do and where more is",
    (rule) => {
      expect(rule.labels["severity"]).toMatch(/^(?:critical|warning)$/);
      expect(rule.annotations["summary"]).toMatch(/\S.*\.$/);
      expect(rule.annotations["description"]).toMatch(/\S.{60,}\.$/);
      const [page = "", anchor = ""] = rule.annotations["runbook"]?.split("#") ?? [];
      expect(page).toMatch(/^docs\/[\w-]+\.md$/);
      const headings = [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
      expect(headings.map(anchorOf)).toContain(anchor);
    },
  );

  test.each(RULES)("$alert has the reason of its threshold before its expression", ({ alert }) => {
    const lines = ALERTS_TEXT.split("\n");
    const at = lines.findIndex((line) => line.trim() === `- alert: ${alert}`);
    expect(lines[at + 1]).toMatch(/^ +# \S.{20,}\.$/);
  });

  test.each(RULES)("$alert is tested: it fires alone, and not before its time", ({ alert }) => {
    const text = read("deploy/prometheus/alerts.test.yml");
    const { tests } = load(text) as { tests: { name: string; promql_expr_test: PromqlTest[] }[] };
    const own = tests.filter(({ name }) => name.split(":")[0] === alert);
    const fired = own.flatMap((each) => each.promql_expr_test.flatMap((one) => one.exp_samples));
    expect(fired.map(({ labels }) => labels).join()).toContain(`alertname="${alert}"`);
    const healthy = tests.find(({ name }) => name === "nothing is told while all is well");
    expect(healthy?.promql_expr_test.map(({ expr }) => expr)).toContain("ALERTS");
  });

  test("no two have one name", () => {
    expect(new Set(RULES.map(({ alert }) => alert)).size).toBe(RULES.length);
  });
});

interface PromqlTest {
  readonly expr: string;
  readonly exp_samples: readonly { readonly labels: string }[];
}

describe("the dashboard", () => {
  test("has what Grafana needs to take it up", () => {
    expect(DASHBOARD.uid).toMatch(/^[\w-]{1,40}$/);
    expect(DASHBOARD.schemaVersion).toBeGreaterThanOrEqual(36);
    const ids = DASHBOARD.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(readdirSync(`${ROOT}deploy/grafana/dashboards`)).toEqual(["gpu-request-router.json"]);
  });

  test("its panels lie on the grid of 24 columns, none upon another", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of DASHBOARD.panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          expect(taken.get(`${column} ${row}`), `${title} lies on`).toBeUndefined();
          taken.set(`${column} ${row}`, title);
        }
      }
    }
  });

  test("its data comes from the source that is chosen above it", () => {
    const variables = DASHBOARD.templating.list.map(({ name, type }) => `${name}: ${type}`);
    expect(variables).toEqual(["datasource: datasource", "instance: query"]);
    for (const { title, datasource, targets = [] } of GRAPHS) {
      const uids = [datasource, ...targets.map((target) => target.datasource)].map(
        (one) => one?.uid,
      );
      expect(new Set(uids), title).toEqual(new Set(["${datasource}"]));
      const refIds = targets.map(({ refId }) => refId);
      expect(new Set(refIds).size, title).toBe(refIds.length);
    }
  });

  test("where two routers are chosen, no two of their lines have one name", () => {
    const lines = GRAPHS.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, legendFormat = "" }) => ({ title, expr, legendFormat })),
    );
    const areNamedAlike = lines.filter(({ expr, legendFormat }) => {
      const isOverRouters = /\b(?:sum|max|min)\b/.test(expr) && !/by \([^)]*instance/.test(expr);
      return !isOverRouters && !legendFormat.includes("{{instance}}");
    });
    expect(areNamedAlike.map(({ title, legendFormat }) => [title, legendFormat])).toEqual([]);
  });

  test("the folder and the source that it is provisioned with are those of the compose file", () => {
    const compose = read("docker-compose.prod.yml");
    const { providers } = load(read("deploy/grafana/provisioning/dashboards/dashboards.yml")) as {
      providers: { options: { path: string } }[];
    };
    expect(compose).toContain(`target: ${providers[0]?.options.path}\n`);
    const { datasources } = load(
      read("deploy/grafana/provisioning/datasources/prometheus.yml"),
    ) as {
      datasources: { url: string }[];
    };
    const { hostname } = new URL(datasources[0]?.url ?? "");
    expect(compose).toContain(`\n  ${hostname}:\n`);
  });
});

describe("prometheus.yml", () => {
  test("asks services of the compose file, and reads the key where it is mounted", () => {
    const compose = read("docker-compose.prod.yml");
    const { services } = load(compose) as { services: Readonly<Record<string, unknown>> };
    const config = load(read("deploy/prometheus/prometheus.yml")) as PrometheusConfig;
    const targets = config.scrape_configs.flatMap((job) => job.static_configs[0]!.targets);
    const hosts = targets.map((target) => target.split(":")[0]!);
    expect(Object.keys(services)).toEqual(
      expect.arrayContaining(hosts.filter((host) => host !== "localhost")),
    );
    const [router] = config.scrape_configs;
    expect(router).toMatchObject({ metrics_path: "/api/v1/metrics" });
    const keyFile = `/etc/prometheus/${router?.authorization?.credentials_file}`;
    expect(compose).toContain(`target: ${keyFile} `);
  });
});

interface PrometheusConfig {
  readonly scrape_configs: readonly {
    readonly authorization?: { readonly credentials_file: string };
    readonly static_configs: readonly { readonly targets: readonly string[] }[];
  }[];
}

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .replaceAll(" ", "-");
}
