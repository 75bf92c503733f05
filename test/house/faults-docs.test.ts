import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tableRows } from "./markdown.ts";
import { ROOT } from "./source-text.ts";

const FOLDER = `${ROOT}test/integration/faults/`;
/** The title of a test, or of a group of tests, begins with it. */
const NUMBER = /["`](F\d+)\b/g;

const tested = new Set(
  readdirSync(FOLDER)
    .map((name) => readFileSync(FOLDER + name, "utf8"))
    .flatMap((text) => [...text.matchAll(NUMBER)].map(([, number]) => number)),
);
const rows = tableRows(readFileSync(`${ROOT}docs/faults.md`, "utf8"));

test("docs/faults.md numbers the faults from F1 on, without a gap", () => {
  expect(rows.map(([number]) => number)).toEqual(rows.map((_, index) => `F${index + 1}`));
});

test("every fault of docs/faults.md has its test, or says why it has none", () => {
  const untested = rows.filter(([, , does = ""]) => does.startsWith("no test: "));
  const documented = rows.filter((row) => !untested.includes(row)).map(([number]) => number);
  expect(tested).toEqual(new Set(documented));
});
