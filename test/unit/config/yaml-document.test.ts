import { expect, test } from "vitest";
import { parseYaml } from "../../../src/config/yaml-document.ts";

const text = `# comment
api:
  host: a
workers:
  - id: a
    url: |
      two
      lines
  - { id: b, models: [x,
      y] }
copy: &anchor { deep: 1 }
other: *anchor
last: 1
`;

test.each([
  [["api"], 2],
  [["api", "host"], 3],
  [["api", "absent"], 2],
  [["workers", 0], 5],
  [["workers", 0, "url"], 6],
  [["workers", 1, "models", 1], 10],
  [["copy", "deep"], 11],
  [["other", "deep"], 12],
  [["last"], 13],
  [["absent"], null],
])("%j is on line %s", (path, line) => {
  const document = parseYaml(text);
  if ("problem" in document) throw new Error(document.problem);
  expect(document.lineOf(path)).toBe(line);
});

test("a fault is told with its place, and without the text around it", () => {
  expect(parseYaml('a: 1\nb: "x" y')).toEqual({
    problem: "line 2, column 8: bad indentation of a mapping entry",
  });
});
