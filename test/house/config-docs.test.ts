import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { SettingDescription } from "../../src/config/describe-settings.ts";
import { describeSettings } from "../../src/config/describe-settings.ts";
import { INACTIVE_PARTS } from "../../src/config/not-active-yet.ts";
import { ENGINE_NAMES } from "../../src/fleet/worker.ts";

const DOCS = "../../docs/configuration.md";
const START = "<!-- prettier-ignore-start -->\n";
const END = "<!-- prettier-ignore-end -->";

test("docs/configuration.md lists every setting as the schema has it", async () => {
  const docs = readFileSync(new URL(DOCS, import.meta.url), "utf8");
  const before = docs.slice(0, docs.indexOf(START) + START.length);
  const after = docs.slice(docs.indexOf(END));
  await expect(`${before}\n${settingsTable()}\n\n${after}`).toMatchFileSnapshot(DOCS);
});

test.each(describeSettings())("$setting has a meaning, in whole sentences", ({ meaning }) => {
  expect(meaning).toMatch(/^[A-Za-z°0-9].*\.$/);
});

test("the engines are all named where one is chosen", () => {
  const engine = describeSettings().find(({ setting }) => setting === "workers[].engine");
  for (const name of ENGINE_NAMES) expect(engine?.meaning).toContain(name);
});

function settingsTable(): string {
  return [
    "| setting | default | unit | meaning | environment |",
    "|---|---|---|---|---|",
    ...describeSettings().map(settingsRow),
  ].join("\n");
}

function settingsRow(row: SettingDescription): string {
  const fallback = row.default === undefined ? "" : `\`${JSON.stringify(row.default)}\``;
  const inactive = INACTIVE_PARTS.some(
    ({ setting }) => `${row.setting}.`.startsWith(`${setting}.`) || isItem(row.setting, setting),
  );
  const meaning = inactive ? `${row.meaning} Not active yet.` : row.meaning;
  const environment = row.environment === null ? "" : `\`${row.environment}\``;
  const cells = [`\`${row.setting}\``, fallback, row.unit ?? "", meaning, environment];
  return `| ${cells.join(" | ")} |`;
}

function isItem(setting: string, list: string): boolean {
  return setting.startsWith(`${list}[]`);
}
