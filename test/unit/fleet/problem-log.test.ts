import { describe, expect, test } from "vitest";
import { createProblemLog } from "../../../src/fleet/problem-log.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

describe("a problem", () => {
  test("is logged once per subject and text", () => {
    const { log, lines } = keepingLog();
    const problem = createProblemLog(log, "gpu source problem");
    for (const source of ["one", "one", "two"]) problem({ source }, "temperature is negative");
    problem({ source: "one" }, "uptime is negative");
    expect(lines.map(({ level, message }) => [level, message])).toEqual(
      [1, 2, 3].map(() => ["warn", "gpu source problem"]),
    );
    expect(lines.map(({ fields }) => fields)).toEqual([
      { source: "one", problem: "temperature is negative" },
      { source: "two", problem: "temperature is negative" },
      { source: "one", problem: "uptime is negative" },
    ]);
  });

  test("is no longer logged after a thousand others, and that is said", () => {
    const { log, lines } = keepingLog();
    const problem = createProblemLog(log, "gpu source problem");
    for (let text = 0; text < 5000; text++) problem({ source: "one" }, String(text));
    expect(lines).toHaveLength(1001);
    expect(lines.at(-1)?.message).toContain("no more are logged");
  });
});
