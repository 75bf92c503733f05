import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const FLAGS = fileURLToPath(new URL("../../src/v8-flags.ts", import.meta.url));

/** Makes one kind of array as a starting process does, where most of them stay, and asks where the next one is put. */
const LIVED_LONG = `
  const make = (a) => [a, a];
  const kept = [];
  for (let i = 0; i < 2_000_000; i++) {
    kept.push(make({}));
    if (kept.length > 400_000) kept.length = 0;
  }
  console.log(%InYoungGeneration(make({})));
`;

function isYoung(script: string): string {
  // One compiler, and in the same thread, so that it is the same in each run.
  const compiler = ["--no-maglev", "--single-threaded"];
  const flags = ["--allow-natives-syntax", ...compiler, "--input-type=module"];
  return execFileSync(process.execPath, [...flags, "--eval", script], { encoding: "utf8" }).trim();
}

test("what is made for a request is young, however long its like lived when the router started", () => {
  expect(isYoung(LIVED_LONG)).toBe("false");
  expect(isYoung(`await import(${JSON.stringify(FLAGS)});${LIVED_LONG}`)).toBe("true");
});
