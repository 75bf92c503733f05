import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { KNOWN_NAMES } from "../../src/app.ts";
import { describeSettings } from "../../src/config/describe-settings.ts";
import { loadConfig } from "../../src/config/load.ts";
import { tableRows } from "./markdown.ts";
import { readmeYaml } from "./readme-yaml.ts";
import { ROOT } from "./source-text.ts";

const read = (path: string): string => readFileSync(`${ROOT}${path}`, "utf8");
const readme = read("README.md");
const settings = new Map(describeSettings().map((row) => [row.setting, row]));

test("the YAML for real workers is a whole config, with nothing in it that is not active yet", () => {
  const folder = mkdtempSync(join(tmpdir(), "router-readme-"));
  writeFileSync(join(folder, "config.yaml"), readmeYaml("a".repeat(64)));
  const { config, notices } = loadConfig({ env: {}, cwd: folder, names: KNOWN_NAMES });
  rmSync(folder, { recursive: true });
  expect(notices).toEqual([]);
  expect(config.workers.map(({ id, engine }) => [id, engine])).toEqual([
    ["node1", "vllm"],
    ["node2", "vllm"],
    ["desk", "ollama"],
  ]);
  expect(config.auth.keys).toHaveLength(1);
  expect(config.request_router.request_timeout).toBeGreaterThan(30);
});

test("its comment tells the true default of request_timeout", () => {
  const said = /the default, (\d+), is short/.exec(readme)?.[1];
  expect(Number(said)).toBe(settings.get("request_router.request_timeout")?.default);
});

test("the settings in its table exist, with these defaults", () => {
  const rows = tableRows(readme, "## Settings");
  expect(rows.length).toBeGreaterThan(5);
  for (const [names = "", defaults = ""] of rows) {
    const said = inBackticks(defaults).map((text) => JSON.stringify(asValue(text)));
    const real = inBackticks(names).map((name) => JSON.stringify(settings.get(name)?.default));
    expect(said, names).toEqual(real);
  }
});

test("the strategies that it names are those that there are", () => {
  const row = tableRows(readme, "## Settings").find(([name]) => name?.includes("strategy"));
  const named = [row?.[1], row?.[2]].flatMap((cell) => inBackticks(cell ?? ""));
  expect(named.toSorted()).toEqual(KNOWN_NAMES.strategies.toSorted());
});

test("the environment variables that it names exist", () => {
  const ofClients = ["ROUTER_URL", "ROUTER_API_KEY"];
  const ofSettings = [...settings.values()].map((row) => row.environment);
  const known = new Set(["CONFIG_PATH", ...ofClients, ...ofSettings]);
  const named = readme.match(/\b(?:[A-Z]+_)+[A-Z_]+\b/g) ?? [];
  expect(named.length).toBeGreaterThan(5);
  const placeholder = "ROUTER__SECTION__KEY";
  const constants = ["SCORERS", "STRATEGIES"];
  const unknown = named.filter((name) => !known.has(name) && !constants.includes(name));
  expect(unknown.filter((name) => name !== placeholder)).toEqual([]);
});

test("every file of the map of src/ is there", () => {
  const rows = tableRows(readme, "## Find your way in `src/`");
  const named = rows.flatMap(([, cell = ""]) => inBackticks(cell));
  expect(named.length).toBeGreaterThan(10);
  // A placeholder stands for any file of its folder.
  const paths = named.map((path) => (path.includes("<") ? dirname(path) : path));
  expect(paths.filter((path) => !existsSync(`${ROOT}src/${path}`))).toEqual([]);
});

test.each([
  "README.md",
  "docs/configuration.md",
  "docs/errors.md",
  "docs/routing.md",
  "docs/callbacks.md",
  "docs/deployment.md",
  "docs/deployment.tr.md",
])("in %s every link to a file, every path and every npm script leads somewhere", (page) => {
  const text = read(page);
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, to = ""]) => to);
  expect(links.filter((to) => !existsSync(join(ROOT, dirname(page), to)))).toEqual([]);
  const paths = text.match(/\b(?:src|test|docs)\/[\w./-]*\w/g) ?? [];
  expect(paths.filter((path) => !existsSync(ROOT + path))).toEqual([]);
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const run = [...text.matchAll(/(?:^|`|&& |\w=\S+ )npm (?:run (?:-s )?)?(?!ci\b)([a-z:-]+)/gm)];
  expect(run.map(([, name = ""]) => name).filter((name) => !(name in scripts))).toEqual([]);
});

test("the tables that a new strategy is added to have the names that it gives", () => {
  const strategies = read("src/routing/strategies.ts");
  for (const [name] of readme.matchAll(/(?<=`)[A-Z]+(?=`)/g)) {
    expect(strategies).toContain(`const ${name}: `);
  }
});

function inBackticks(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
}

/** `85.0` is a number, `hybrid` a text, `[]` a list. */
function asValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
