import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/clock.ts";
import type { OutcomeClass } from "../../../src/failures/classify.ts";
import { Random } from "../../../src/routing/random.ts";
import { cooldownsFor } from "../../support/cooldown-builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const REQUESTS = 1000;
const RUNS = 4000;

/** Nothing but the time: millions of requests are simulated. */
class Stopwatch {
  nowMs = 0;
  readonly #rest: Clock = new FakeClock();

  readonly clock: Clock = {
    now: () => this.nowMs,
    wallMs: () => this.nowMs,
    after: (delayMs, run) => this.#rest.after(delayMs, run),
    every: (periodMs, run) => this.#rest.every(periodMs, run),
  };
}

interface Trouble {
  /** True share of requests that fail, 0..1. */
  readonly errorRate: number;
  readonly failsAs?: Exclude<OutcomeClass, "success" | "neutral">;
  readonly requestsPerSecond?: number;
}

/** How many requests a worker among others gets before it is taken out; null = it never is. */
function requestsUntilOut(trouble: Trouble, random: Random): number | null {
  const { errorRate, failsAs = "failure", requestsPerSecond = 1000 / 60 } = trouble;
  const watch = new Stopwatch();
  const state = { isOut: false };
  const cooldowns = cooldownsFor(watch.clock, {
    errorThreshold: 0.1,
    onChange: () => (state.isOut = true),
  });
  const good = { class: "success", failure: "", wasProbe: false } as const;
  const bad = { class: failsAs, failure: "it broke", wasProbe: false } as const;
  for (let sent = 1; sent <= REQUESTS; sent++) {
    cooldowns.began(0);
    cooldowns.ended(0, random.next() < errorRate ? bad : good);
    if (state.isOut) return sent;
    watch.nowMs += 1000 / requestsPerSecond;
  }
  return null;
}

function runsTakenOut(trouble: Trouble, seed: number): number {
  const random = new Random(seed);
  let out = 0;
  for (let run = 0; run < RUNS; run++) if (requestsUntilOut(trouble, random) !== null) out += 1;
  const what = `${trouble.requestsPerSecond} requests/s, ${trouble.failsAs ?? "failure"}`;
  process.stdout.write(`taken out falsely (${what}, seed ${seed}): ${out} of ${RUNS} runs\n`);
  return out;
}

describe("a worker that fails one request in a hundred", () => {
  test.each([0.1, 1, 10, 100])(
    "at %d requests a second is taken out in at most one of 1,000 runs",
    (requestsPerSecond) => {
      const out = runsTakenOut({ errorRate: 0.01, requestsPerSecond }, 20_260_101);
      expect(out / RUNS).toBeLessThanOrEqual(0.001);
    },
  );
});

test("a worker of which one connection in a hundred fails is taken out in at most two of 1,000 runs", () => {
  const trouble = { errorRate: 0.01, failsAs: "connection", requestsPerSecond: 10 } as const;
  // Three in a row are enough there: chance alone brings them in one run of 1,000.
  expect(runsTakenOut(trouble, 20_260_101) / RUNS).toBeLessThanOrEqual(0.002);
});

test("a worker that fails one request in four is out within a hundred", () => {
  const random = new Random(7);
  const counts = Array.from({ length: 50 }, () => {
    return requestsUntilOut({ errorRate: 0.25 }, random) ?? Infinity;
  });
  expect(counts.toSorted((a, b) => a - b)[25]).toBeLessThan(100);
});

test("a dead worker is out after at most five requests, at any rate", () => {
  for (const requestsPerSecond of [0.01, 0.1, 1, 100]) {
    expect(requestsUntilOut({ errorRate: 1, requestsPerSecond }, new Random(1))).toBe(5);
  }
});
