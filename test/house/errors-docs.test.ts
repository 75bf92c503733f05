import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERRORS } from "../../src/errors.ts";
import { tableRows } from "./markdown.ts";
import { ROOT } from "./source-text.ts";

const rowsOfCode = Object.entries(ERRORS).map(([code, { status, type, meaning }]) => [
  `\`${code}\``,
  String(status),
  `\`${type}\``,
  meaning,
]);

const rightTable = [["code", "status", "type", "meaning"], ["-", "-", "-", "-"], ...rowsOfCode]
  .map((row) => `| ${row.join(" | ")} |`)
  .join("\n");

test("docs/errors.md tells what src/errors.ts holds, in the same order", () => {
  const rowsOfDocs = tableRows(readFileSync(`${ROOT}docs/errors.md`, "utf8"));
  expect(
    rowsOfDocs,
    `Paste this table into docs/errors.md, then \`npm run format\`:\n\n${rightTable}\n\n`,
  ).toEqual(rowsOfCode);
});

test("a type says whose move it is: the caller's below status 500, the router's from there", () => {
  for (const { status, type } of Object.values(ERRORS)) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status < 500).toBe(!["overloaded_error", "timeout_error", "api_error"].includes(type));
  }
});
