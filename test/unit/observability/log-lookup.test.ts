import { expect, test } from "vitest";
import { createSingleLookup } from "../../../src/observability/log-lookup.ts";

const FOUND = [{ address: "10.0.0.5", family: 4 }];

test("one look-up at a time answers all who ask meanwhile, and the next one is a new one", () => {
  const underWay: (typeof answer)[] = [];
  const answers: unknown[] = [];
  const answer = (error: Error | null, addresses: typeof FOUND): void =>
    void answers.push(error ?? addresses);
  const lookup = createSingleLookup((_hostname, _options, done) => void underWay.push(done));
  lookup("log", {}, answer);
  lookup("log", {}, answer);
  expect(underWay).toHaveLength(1);
  underWay[0]!(null, FOUND);
  expect(answers).toEqual([FOUND, FOUND]);
  lookup("log", {}, answer);
  expect(underWay).toHaveLength(2);
  const problem = new Error("not found");
  underWay[1]!(problem, []);
  expect(answers[2]).toBe(problem);
});
