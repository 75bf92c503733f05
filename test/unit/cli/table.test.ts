import { expect, test } from "vitest";
import { layoutTable, painted, type Cell, type Column } from "../../../src/cli/table.ts";

const COLUMNS: readonly Column[] = [
  { title: "ID" },
  { title: "NAME", least: 4, spare: 2 },
  { title: "RUN", align: "right", spare: 1 },
];
const ROWS: readonly (readonly Cell[])[] = [
  ["a", "a long name", "7"],
  ["bcd", "short", "1234"],
];
const WIDE = { width: Infinity, colours: false };
const at = (width: number): string[] => layoutTable(COLUMNS, ROWS, { width, colours: false });

test("columns stand under their titles, figures by their last digit, without blanks at the end", () => {
  expect(layoutTable(COLUMNS, ROWS, WIDE)).toEqual([
    "ID   NAME          RUN",
    "a    a long name     7",
    "bcd  short        1234",
  ]);
  expect(layoutTable(COLUMNS.slice(0, 2), [["a", ""]], WIDE)).toEqual(["ID  NAME", "a"]);
});

test("a narrow page cuts what may be cut, as little as it must", () => {
  expect(at(22)).toEqual(layoutTable(COLUMNS, ROWS, WIDE));
  expect(at(18)).toEqual(["ID   NAME      RUN", "a    a long…     7", "bcd  short    1234"]);
});

test("a narrower one leaves columns out in their order, and says which", () => {
  expect(at(14)).toEqual(["ID   NAME", "a    a long n…", "bcd  short", "no room for RUN"]);
  expect(at(4)).toEqual(["ID", "a", "bcd", "no room for NAME, RUN"]);
});

test("what may be neither cut nor left out is printed as it is", () => {
  expect(layoutTable([{ title: "ID" }], [["abcdef"]], { width: 2, colours: false })).toEqual([
    "ID",
    "abcdef",
  ]);
});

test("wide characters and controls do not shift the columns beside them", () => {
  const rows = [
    ["日本", "x", "1"],
    ["\u001b[31m", "x", "1"],
  ];
  expect(layoutTable(COLUMNS, rows, WIDE)).toEqual([
    "ID          NAME  RUN",
    "日本        x       1",
    String.raw`\u001b[31m  x       1`,
  ]);
});

test("colours go around the text alone, and only where the page has them", () => {
  const cell = { text: "hot\u001b", colour: "red" } as const;
  expect(painted(cell, WIDE)).toBe(String.raw`hot\u001b`);
  expect(painted(cell, { ...WIDE, colours: true })).toBe("\u001b[31mhot\\u001b\u001b[39m");
  const [, row] = layoutTable(COLUMNS, [["a", { text: "b", colour: "red" }, "1"]], {
    ...WIDE,
    colours: true,
  });
  expect(row).toBe("a   \u001b[31mb\u001b[39m       1");
});
