import { describe, expect, test } from "vitest";
import { classify, type AttemptOutcome, type Verdict } from "../../../src/failures/classify.ts";

const verdict = (
  outcome: AttemptOutcome,
): readonly [Verdict["class"], Verdict["retry"], boolean] => {
  const { class: kind, retry, provablyUnsent } = classify(outcome);
  return [kind, retry, provablyUnsent];
};

const answered = (status: number) => verdict({ kind: "answered", status });

describe("an answer of status", () => {
  test.each([200, 201, 204, 299])("%i is a success, and the client's", (status) => {
    expect(answered(status)).toEqual(["success", "no", false]);
  });

  test.each([400, 402, 405, 409, 410, 413, 415, 418, 422, 451, 499])(
    "%i is the client's mistake, and speaks for the worker",
    (status) => {
      expect(answered(status)).toEqual(["success", "no", false]);
    },
  );

  test("404 is tried elsewhere: another worker may have the model", () => {
    expect(answered(404)).toEqual(["success", "elsewhere", true]);
  });

  test.each([408, 429, 503])("%i is a full worker: no failure, and another may do", (status) => {
    expect(answered(status)).toEqual(["neutral", "elsewhere", true]);
  });

  test.each([401, 403])(
    "%i is a refused key: a failure, or it would draw all traffic",
    (status) => {
      expect(answered(status)).toEqual(["failure", "elsewhere", true]);
    },
  );

  test.each([500, 501, 502, 504, 507, 599])("%i is a failure to be tried again", (status) => {
    expect(answered(status)).toEqual(["failure", "anywhere", false]);
  });

  test.each([300, 301, 302, 307, 308])("%i is not what was asked for", (status) => {
    expect(answered(status)).toEqual(["failure", "anywhere", false]);
  });
});

describe("no answer", () => {
  test("because the connection failed is tried again, for nothing was sent", () => {
    const outcome = { kind: "unreachable", failure: "refused" } as const;
    expect(verdict(outcome)).toEqual(["connection", "anywhere", true]);
  });

  test("because it broke is tried again, unless bytes went to the client", () => {
    const outcome = { kind: "broken", failure: "reset" } as const;
    expect(verdict({ ...outcome, committed: false })).toEqual(["failure", "anywhere", false]);
    expect(verdict({ ...outcome, committed: true })).toEqual(["failure", "no", false]);
  });

  test.each([true, false])(
    "in time (committed: %s) counts only against a silent worker",
    (committed) => {
      const late = { kind: "timeout", committed } as const;
      expect(verdict({ ...late, workerAlive: true })).toEqual(["neutral", "no", false]);
      expect(verdict({ ...late, workerAlive: false })).toEqual(["failure", "no", false]);
    },
  );

  test("because the client went away, or gave its placement back, says nothing about the worker", () => {
    expect(verdict({ kind: "abandoned" })).toEqual(["neutral", "no", false]);
    for (const how of ["ok", "failed", "overdue"] as const) {
      expect(verdict({ kind: "released", how })).toEqual(["neutral", "no", false]);
    }
  });
});

test("an answer that is not what was asked for is tried again", () => {
  const outcome = { kind: "unusable", failure: "answered with broken JSON" } as const;
  expect(verdict(outcome)).toEqual(["failure", "anywhere", false]);
});

describe("the request itself may be at fault", () => {
  const mayBe = (outcome: AttemptOutcome): boolean => classify(outcome).mayBeTheRequest === true;

  test.each([300, 302, 500, 501, 502, 504, 599])("where a worker answers %i", (status) => {
    expect(mayBe({ kind: "answered", status })).toBe(true);
  });

  test("where the answer cannot be used", () => {
    expect(mayBe({ kind: "unusable", failure: "answered with broken JSON" })).toBe(true);
  });

  test.each([200, 400, 401, 403, 404, 408, 422, 429, 503])(
    "but not where the status %i says whose fault it is",
    (status) => {
      expect(mayBe({ kind: "answered", status })).toBe(false);
    },
  );

  test.each<AttemptOutcome>([
    { kind: "unreachable", failure: "refused" },
    { kind: "broken", failure: "reset", committed: false },
    { kind: "broken", failure: "reset", committed: true },
    { kind: "timeout", workerAlive: false, committed: false },
    { kind: "abandoned" },
    { kind: "released", how: "failed" },
  ])("and not where no whole answer came ($kind)", (outcome) => {
    expect(mayBe(outcome)).toBe(false);
  });
});
