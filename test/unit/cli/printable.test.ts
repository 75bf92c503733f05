import { expect, test } from "vitest";
import { printable, printableJson, shortened, widthOf } from "../../../src/cli/printable.ts";

test.each([
  ["می\u200cشود क्\u200dष", "می\u200cشود क्\u200dष"],
  ["plain text, 71 °C, naïve, 日本", "plain text, 71 °C, naïve, 日本"],
  ["\u001b[2J\u001b]0;owned\u0007", String.raw`\u001b[2J\u001b]0;owned\u0007`],
  ["a\r\nb\tc", String.raw`a\u000d\u000ab\u0009c`],
  ["\u009b31m", String.raw`\u009b31m`],
  ["\u202egnp.exe", String.raw`\u202egnp.exe`],
  ["\u2028\u200b\u007f", String.raw`\u2028\u200b\u007f`],
  ["\ud800", String.raw`\ud800`],
  ["\u{e0041}", String.raw`\udb40\udc41`],
])("%j is printed as %s", (text, printed) => {
  expect(printable(text)).toBe(printed);
});

test("JSON keeps its meaning and its lines, and no raw control is left in it", () => {
  const value = { name: "\u009b31m\u202e\n", list: [1, "ü"] };
  const text = printableJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(text.split("\n").length).toBeGreaterThan(4);
  expect(text.replaceAll("\n", "")).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
});

test.each([
  ["abc", 3],
  ["°C", 2],
  ["日本", 4],
  ["e\u0301", 1],
  ["a\u200c\u200db", 2],
  ["🔥", 2],
  ["", 0],
])("%j takes up %i columns", (text, width) => {
  expect(widthOf(text)).toBe(width);
});

test.each([
  ["abcdef", 6, "abcdef"],
  ["abcdef", 5, "abcd…"],
  ["日本語", 5, "日本…"],
  ["日本語", 4, "日…"],
  ["abc", 1, "…"],
])("%s cut to %i columns is %s", (text, width, cut) => {
  expect(shortened(text, width)).toBe(cut);
});
