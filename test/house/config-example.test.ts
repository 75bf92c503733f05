import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { describeSettings } from "../../src/config/describe-settings.ts";
import { isMapping } from "../../src/config/document.ts";
import { loadConfig } from "../../src/config/load.ts";
import { INACTIVE_PARTS } from "../../src/config/not-active-yet.ts";
import { configSchema } from "../../src/config/schema.ts";
import { ENGINE_NAMES } from "../../src/fleet/worker.ts";
import { ROUTING_NAMES } from "../../src/routing/strategies.ts";

const EXAMPLE = new URL("../../config.example.yaml", import.meta.url);
const text = readFileSync(EXAMPLE, "utf8");
const live = load(text);
const whole = load(text.replaceAll(/^( *)#: /gm, "$1"));
const names = { ...ROUTING_NAMES, engines: ENGINE_NAMES };

/** What the users of the original have in their files: accepted, with these defaults, for ever. */
const ORIGINAL = {
  api: { host: "0.0.0.0", port: 8000, debug: false },
  gpu_monitoring: {
    url: "http://gpu-monitoring-service:8080",
    update_interval: 5,
    health_check_interval: 60,
    max_temperature: 85,
  },
  load_balancer: {
    strategy: "hybrid",
    weights: { usage: 0.4, priority: 0.3, performance: 0.2, health: 0.1 },
  },
  request_router: { max_retries: 3, retry_delay: 1, request_timeout: 30 },
  error_handler: {
    max_retries: 3,
    retry_delay: 1,
    error_threshold: 0.1,
    gpu_cooldown_period: 300,
  },
  user_quota_manager: {
    default_gpu_limit: 2,
    default_request_limit: 100,
    default_priority_limit: 3,
    quota_check_interval: 60,
  },
};

test("the live part of the example is the original block, word for word", () => {
  expect(live).toEqual(ORIGINAL);
  for (const spelling of ['host: "0.0.0.0"', "85.0", "retry_delay: 1.0", "request_timeout: 30.0"]) {
    expect(text).toContain(spelling);
  }
});

test("copied unchanged it loads, and is what an empty file gives", () => {
  const empty = configSchema({ names, env: {} }).parse({});
  const env = { CONFIG_PATH: fileURLToPath(EXAMPLE) };
  expect(loadConfig({ env, cwd: "/", names }).config).toEqual(empty);
  expect(empty).toMatchObject(ORIGINAL);
});

describe("with every setting uncommented", () => {
  test("it has exactly the settings of the schema", () => {
    const expected = describeSettings().map((row) => row.setting);
    expect(settingsIn("", whole, new Set(expected)).toSorted()).toEqual(expected.toSorted());
  });

  test("it passes the schema", () => {
    const result = configSchema({ names, env: {} }).safeParse(whole);
    expect(result.error?.issues ?? []).toEqual([]);
  });

  test.each(describeSettings().filter(({ setting }) => !hasExample(setting)))(
    "$setting is at its default",
    (row) => {
      expect(valuesAt(row.setting, whole)).toEqual([row.default]);
    },
  );
});

test("a comment explains every setting", () => {
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (!/^ *(#: +|#: )?(- )?[a-z0-9_]+:/.test(line)) continue;
    expect(lines[index - 1], `the line above "${line}"`).toMatch(/^ *# /);
  }
});

test.each(INACTIVE_PARTS)("the comments say that $setting is not active yet", ({ setting }) => {
  const [section = "", key = null] = setting.split(".");
  const comments = commentAbove(section, 0) + (key === null ? "" : commentAbove(key, section));
  expect(comments).toMatch(/not active yet/i);
});

/** The comment right above a key: a section's, or that of a key within `section`. */
function commentAbove(key: string, section: string | 0): string {
  const lines = text.split("\n");
  const sectionAt = (name: string) =>
    lines.findIndex((line) => new RegExp(`^(#: )?${name}:`).test(line));
  const start = section === 0 ? sectionAt(key) : sectionAt(section);
  const inSection = new RegExp(`^ *(#: +)?${key}:`);
  const at =
    section === 0 ? start : lines.findIndex((line, index) => index > start && inSection.test(line));
  let first = at;
  while (/^ *# /.test(lines[first - 1] ?? "")) first--;
  return lines.slice(first, at).join("\n");
}

/** Lists and tables that show an entry, and fields of it that have no default. */
function hasExample(setting: string): boolean {
  const row = describeSettings().find((candidate) => candidate.setting === setting);
  if (row?.default === undefined) return true;
  if (describeSettings().some((other) => other.setting.startsWith(`${setting}[]`))) return true;
  return setting === "strategies" || setting === "strategies.<name>.scorers";
}

/** The settings that a document holds, in the notation of describeSettings. */
function settingsIn(path: string, value: unknown, known: ReadonlySet<string>): string[] {
  const here = known.has(path) ? [path] : [];
  if (Array.isArray(value)) {
    return [...here, ...value.flatMap((item) => inside(`${path}[]`, item, known))];
  }
  if (!isMapping(value)) return known.has(path) ? here : [path];
  return [...here, ...inside(path, value, known)];
}

function inside(path: string, value: unknown, known: ReadonlySet<string>): string[] {
  if (!isMapping(value)) return [];
  const named = [...known].some((setting) => setting.startsWith(`${path}.<name>`));
  // Entries of a table of plain values are data, not settings.
  if (known.has(path) && !named) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const name = named ? "<name>" : key;
    return settingsIn(path === "" ? name : `${path}.${name}`, child, known);
  });
}

function valuesAt(setting: string, document: unknown): unknown[] {
  const steps = setting.replaceAll("[]", ".[]").split(".");
  return steps.reduce<unknown[]>(
    (values, step) =>
      values.flatMap((value) => {
        if (step === "[]" && Array.isArray(value)) return value as unknown[];
        if (!isMapping(value)) return [];
        return step === "<name>" ? Object.values(value) : [value[step]];
      }),
    [document],
  );
}
