import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ENTRY = fileURLToPath(new URL("../../../src/simulator/simulate-faults.ts", import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function simulate(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test("the fault simulation tells how many seeds it played, and ends well", async () => {
  const { code, stdout } = await simulate("--first", "3", "--seeds", "2");
  expect(stdout).toMatch(
    /^seeds 3 to 4: 0 broke a rule; \d+ requests, \d+ attempts, [\d.]+ ms a seed\n$/,
  );
  expect(code).toBe(0);
});

test("one seed is played alone, with all of its events where that is asked for", async () => {
  const { code, stdout } = await simulate("--seed", "3", "--trace");
  expect(stdout).toContain("00000000-0000-4000-8000-000000000001 goes to w");
  expect(stdout).toContain("seeds 3 to 3: 0 broke a rule");
  expect(code).toBe(0);
});

test.each([
  [["--seeds", "many"], "--seeds must be a whole number: found many"],
  [["--sede", "3"], "Unknown option '--sede'"],
])("%j is refused, with what would be right", async (args, message) => {
  const { code, stdout, stderr } = await simulate(...args);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(message);
});
