import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import type { ScrapedFamily } from "../support/exposition.ts";
import { tableRows } from "./markdown.ts";
import { registeredMetrics } from "./registered-metrics.ts";
import { ROOT } from "./source-text.ts";

const DOCS = readFileSync(`${ROOT}docs/metrics.md`, "utf8");

let scraped: ReadonlyMap<string, ScrapedFamily>;

beforeAll(async () => {
  scraped = await registeredMetrics();
});

const isOurs = (name: string): boolean => name.startsWith("router_");

function documented(): readonly (readonly string[])[] {
  return tableRows(DOCS, "## The router's own metrics");
}

test("docs/metrics.md lists every metric with its type, labels and meaning, and no other", () => {
  const code = [...scraped]
    .filter(([name]) => isOurs(name))
    .map(([name, { type, labels, help }]) => {
      const named = labels.map((label) => `\`${label}\``).join(", ");
      return `\`${name}\` | ${type} | ${named} | ${help}`;
    });
  const docs = documented().map((row) => row.slice(0, 4).join(" | "));
  expect(docs.toSorted()).toEqual(code.toSorted());
});

test("every metric has a series to be read by, so that its labels are all seen", () => {
  const empty = [...scraped].filter(([, { series }]) => series.size === 0);
  // The library fills these when something is collected, or in the turn after a scrape.
  expect(empty.map(([name]) => name).filter(isOurs)).toEqual([]);
});

test("every row says what to do when it moves", () => {
  for (const [name, , , , todo = ""] of documented())
    expect(todo, name).toMatch(/^[A-Z0-9`].{10,}\.$/);
});

test("what the docs say of Node and the process is what the library registers", () => {
  const theirs = [...scraped.keys()].filter((name) => !isOurs(name));
  const rows = tableRows(DOCS, "## Of the process and of Node.js");
  const named = rows.map(([cell = ""]) => cell.replaceAll("`", ""));
  const matches = (pattern: string, name: string): boolean =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  const unknown = named.filter((pattern) => !theirs.some((name) => matches(pattern, name)));
  const missing = theirs.filter((name) => !named.some((pattern) => matches(pattern, name)));
  expect({ unknown, missing }).toEqual({ unknown: [], missing: [] });
});

test("names are Prometheus names: counters end in _total, others do not, units are base units", () => {
  for (const [name, { type }] of scraped) {
    if (!isOurs(name)) continue;
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(name).not.toMatch(/_(?:ms|milliseconds|mb|kb|percent|pct|minutes)(?:_|$)/);
  }
});
