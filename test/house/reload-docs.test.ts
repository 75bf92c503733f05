import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NEEDS_RESTART } from "../../src/config/reload.ts";

const DOCS = "../../docs/configuration.md";
const START = /<!-- restart:.*-->\n<!-- prettier-ignore-start -->\n/;
const END = "<!-- prettier-ignore-end -->";

test("docs/configuration.md lists the settings that only a restart changes, as the code does", async () => {
  const docs = readFileSync(new URL(DOCS, import.meta.url), "utf8");
  const [start = ""] = START.exec(docs) ?? [];
  expect(start).not.toBe("");
  const from = docs.indexOf(start) + start.length;
  const rows = Object.entries(NEEDS_RESTART).map(([setting, why]) => `| \`${setting}\` | ${why} |`);
  const table = ["| setting | why |", "|---|---|", ...rows].join("\n");
  const after = docs.slice(docs.indexOf(END, from));
  await expect(`${docs.slice(0, from)}\n${table}\n\n${after}`).toMatchFileSnapshot(DOCS);
});
