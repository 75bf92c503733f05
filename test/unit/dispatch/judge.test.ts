import { describe, expect, test } from "vitest";
import { Judge, type JudgeDeps } from "../../../src/dispatch/judge.ts";
import type { AttemptOutcome } from "../../../src/failures/classify.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { cooldownsFor } from "../../support/cooldown-builders.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { attemptRecord, routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";

const COOLDOWN_MS = 300_000;
const GOOD = { kind: "answered", status: 200 } as const;
const CRASH = { kind: "answered", status: 500 } as const;
const UNUSABLE = { kind: "unusable", failure: "answered with broken JSON" } as const;
const BROKEN = { kind: "broken", failure: "reset", committed: false } as const;
const UNREACHABLE = { kind: "unreachable", failure: "connection refused" } as const;
const SILENCE = { kind: "timeout", workerAlive: false, committed: false } as const;

/** One attempt of a request: the worker's index, and how it ended. */
type Try = readonly [workerIndex: number, outcome: AttemptOutcome];

const dead: JudgeDeps["isAlive"] = () => Promise.resolve(false);

/** Real cooldowns of workers 0 and 1, and what the observer and the silent workers were asked. */
function openCourt({ isAlive = dead } = {}) {
  const clock = new FakeClock();
  const cooldowns = cooldownsFor(clock, { cooldownMs: COOLDOWN_MS });
  const told: string[] = [];
  const observer = {
    onDecision: () => undefined,
    onQueued: () => undefined,
    onAttemptEnd: (_: unknown, { worker }: { worker: Worker }, outcome: string) =>
      void told.push(`${worker.index} ${outcome}`),
  };
  const freed: number[] = [];
  const turns = { slotFreed: ({ index }: Worker) => void freed.push(index) };
  const begin = () => {
    const judge = new Judge({ cooldowns, isAlive, observer, turns }, routedRequest());
    const attempt = (workerIndex: number, outcome: AttemptOutcome): void => {
      const wasProbe = cooldowns.began(workerIndex);
      const record = attemptRecord({ worker: serving(workerIndex), outcome });
      judge.attemptEnded({ record, wasProbe });
    };
    return { attempt, end: () => judge.requestEnded() };
  };
  const request = (...attempts: readonly Try[]): void => {
    const { attempt, end } = begin();
    for (const [workerIndex, outcome] of attempts) attempt(workerIndex, outcome);
    end();
  };
  const repeat = (times: number, ...attempts: readonly Try[]): void => {
    for (let made = 0; made < times; made++) request(...attempts);
  };
  const areOut = () => [cooldowns.blocks(0), cooldowns.blocks(1)];
  const rates = () => [cooldowns.errorRate(0), cooldowns.errorRate(1)];
  /** Worker 0 has cooled, and its probe is due. */
  const coolFirst = (): void => {
    repeat(3, [0, UNREACHABLE]);
    clock.advance(COOLDOWN_MS);
  };
  return { clock, cooldowns, told, freed, begin, request, repeat, areOut, rates, coolFirst };
}

describe("a worker whose connection failed", () => {
  test("may be used again in the tick in which it answers, and whoever waits hears of it", async () => {
    const { request, cooldowns, freed } = openCourt({ isAlive: () => Promise.resolve(true) });
    request([0, UNREACHABLE]);
    expect([cooldowns.blocks(0), freed]).toEqual([true, []]);
    await settle();
    expect([cooldowns.blocks(0), freed]).toEqual([false, [0]]);
  });

  test("gets nothing for a second where it answers nothing", async () => {
    const { request, cooldowns, clock, freed } = openCourt();
    request([0, UNREACHABLE]);
    await settle();
    clock.advance(999);
    expect([cooldowns.blocks(0), freed]).toEqual([true, []]);
    clock.advance(1);
    expect(cooldowns.blocks(0)).toBe(false);
  });
});

describe("a bad answer from every worker that a request met", () => {
  test.each([
    ["a crash", CRASH],
    ["an unusable answer", UNUSABLE],
  ])("(%s) is no error of theirs, and half a failure in a row", (_, bad) => {
    const { repeat, areOut, rates } = openCourt();
    repeat(9, [0, bad], [1, bad]);
    expect(areOut()).toEqual([false, false]);
    expect(rates()).toEqual([0, 0]);
    repeat(1, [0, bad], [1, bad]);
    expect(areOut()).toEqual([true, true]);
  });

  test("is in a row no more once a request succeeds", () => {
    const { repeat, request, areOut } = openCourt();
    for (let round = 0; round < 5; round++) {
      repeat(9, [0, CRASH], [1, CRASH]);
      request([0, GOOD]);
      request([1, GOOD]);
    }
    expect(areOut()).toEqual([false, false]);
  });

  test("need not be the same bad answer", () => {
    const { request, rates } = openCourt();
    request([0, CRASH], [1, UNUSABLE]);
    expect(rates()).toEqual([0, 0]);
  });

  test("counts once for a worker that was tried twice", () => {
    const { repeat, areOut } = openCourt();
    repeat(9, [0, CRASH], [1, CRASH], [0, CRASH], [1, CRASH]);
    expect(areOut()).toEqual([false, false]);
  });
});

test("a bad answer counts half at once, while others still work on its request", () => {
  const { begin, areOut } = openCourt();
  const underWay = Array.from({ length: 10 }, () => begin());
  for (const { attempt } of underWay) attempt(0, CRASH);
  expect(areOut()).toEqual([true, false]);
});

test.each([400, 409, 413, 422])(
  "a bad answer is no worker's error where another one calls it a mistake (%i)",
  (status) => {
    const { repeat, rates, areOut } = openCourt();
    repeat(5, [0, CRASH], [1, { kind: "answered", status }]);
    expect([rates(), areOut()]).toEqual([
      [0, 0],
      [false, false],
    ]);
  },
);

describe("a bad answer where another worker answered well", () => {
  test.each([
    ["a crash", CRASH],
    ["an unusable answer", UNUSABLE],
  ])("(%s) is the worker's failure", (_, bad) => {
    const { repeat, areOut, rates } = openCourt();
    repeat(4, [0, bad], [1, GOOD]);
    expect(rates()).toEqual([1, 0]);
    expect(areOut()).toEqual([false, false]);
    repeat(1, [0, bad], [1, GOOD]);
    expect(areOut()).toEqual([true, false]);
  });

  test("is the failure of all that gave one", () => {
    const { request, rates } = openCourt();
    request([0, CRASH], [1, CRASH], [2, GOOD]);
    expect(rates()).toEqual([1, 1]);
  });
});

describe("a bad answer from the only worker that was tried", () => {
  test("is its failure, once for each request", () => {
    const { repeat, areOut } = openCourt();
    repeat(4, [0, CRASH], [0, CRASH], [0, CRASH], [0, CRASH]);
    expect(areOut()).toEqual([false, false]);
    repeat(1, [0, CRASH]);
    expect(areOut()).toEqual([true, false]);
  });

  test("is its failure too where the other one was merely busy", () => {
    const { request, rates } = openCourt();
    request([0, CRASH], [1, { kind: "answered", status: 503 }]);
    expect(rates()).toEqual([1, 0]);
  });

  test("waits for the end of the request, and is told to the observer at once", () => {
    const { begin, rates, told } = openCourt();
    const { attempt, end } = begin();
    attempt(0, CRASH);
    expect(told).toEqual(["0 failure"]);
    expect(rates()).toEqual([0, 0]);
    end();
    expect(rates()).toEqual([1, 0]);
    expect(told).toEqual(["0 failure"]);
  });
});

test.each([
  ["unreachable", UNREACHABLE, "connection"],
  ["a broken connection", BROKEN, "failure"],
])("%s counts at once, on every worker", (_, outcome, outcomeClass) => {
  const { begin, rates, told } = openCourt();
  const { attempt, end } = begin();
  attempt(0, outcome);
  attempt(1, outcome);
  expect(rates()).toEqual([1, 1]);
  expect(told).toEqual([`0 ${outcomeClass}`, `1 ${outcomeClass}`]);
  end();
  expect(told).toHaveLength(2);
});

describe("a worker that was silent up to the deadline", () => {
  test.each([
    [true, "0 neutral", 0],
    [false, "0 failure", 1],
  ])("is asked first, and judged by whether it is alive (%s)", async (alive, says, rate) => {
    const answer = Promise.withResolvers<boolean>();
    const asked: number[] = [];
    const isAlive = ({ index }: Worker): Promise<boolean> => {
      asked.push(index);
      return answer.promise;
    };
    const { request, rates, told } = openCourt({ isAlive });
    request([0, SILENCE]);
    await settle();
    expect(asked).toEqual([0]);
    expect(told).toEqual([]);
    expect(rates()).toEqual([0, 0]);
    answer.resolve(alive);
    await settle();
    expect(told).toEqual([says]);
    expect(rates()).toEqual([rate, 0]);
  });

  test("is not asked where it showed a sign of life", () => {
    const isAlive = () => Promise.reject(new Error("not to be asked"));
    const { request, told } = openCourt({ isAlive });
    request([0, { ...SILENCE, workerAlive: true }]);
    expect(told).toEqual(["0 neutral"]);
  });
});

describe("a probe", () => {
  test("that gets a bad answer is judged at once: its worker must not wait for another's", () => {
    const { cooldowns, coolFirst, begin } = openCourt();
    coolFirst();
    const { attempt, end } = begin();
    attempt(0, CRASH);
    expect(cooldowns.describe(0)?.reason).toBe("probe failed: answered 500");
    attempt(1, GOOD);
    end();
    expect(cooldowns.describe(0)?.reason).toBe("probe failed: answered 500");
  });
});
