import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PACKAGE_USERS } from "./may-import.ts";
import { tableRows } from "./markdown.ts";
import { ROOT } from "./source-text.ts";

const MOST_DEPENDENCIES = 15;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as Manifest;
const dependencies = Object.keys(manifest.dependencies).toSorted();

test(`at most ${MOST_DEPENDENCIES} packages are needed to run`, () => {
  expect(dependencies.length).toBeLessThanOrEqual(MOST_DEPENDENCIES);
});

test("README.md gives a reason for every package needed to run, and for no other", () => {
  const rows = tableRows(readFileSync(`${ROOT}README.md`, "utf8"), "## Dependencies");
  const named = rows.map(([name = ""]) => /[\w@][\w@/.-]*/.exec(name)?.[0] ?? name);
  expect(named.toSorted()).toEqual(dependencies);
  expect(rows.filter(([, why = ""]) => why === "")).toEqual([]);
});

test("every package needed to run has a row that says which files may import it", () => {
  expect(Object.keys(PACKAGE_USERS).toSorted()).toEqual(dependencies);
});
