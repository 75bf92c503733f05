import { expect, test } from "vitest";
import { Cooldowns } from "../../../src/failures/cooldowns.ts";
import { Random } from "../../../src/routing/random.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** Requests of one run, over one minute, so that each window holds as many as it ever will. */
const REQUESTS = 1000;
const REQUEST_EVERY_MS = 60;

/** How many requests a worker of this true error rate gets before it is taken out; null = never. */
function requestsUntilOut(errorRate: number, random: Random): number | null {
  const clock = new FakeClock();
  let isOut = false;
  const onChange = (): void => void (isOut = true);
  const cooldowns = new Cooldowns({ clock, errorThreshold: 0.1, cooldownMs: 1000, onChange });
  for (let sent = 1; sent <= REQUESTS; sent++) {
    const failed = random.next() < errorRate;
    cooldowns.ended(0, {
      class: failed ? "failure" : "success",
      failure: failed ? "it broke" : "",
      wasProbe: cooldowns.began(0),
    });
    if (isOut) return sent;
    clock.advance(REQUEST_EVERY_MS);
  }
  return null;
}

test("a worker that fails one request in a hundred is taken out in at most 0.1 % of runs", () => {
  const runs = 4000;
  const random = new Random(20_260_101);
  let taken = 0;
  for (let run = 0; run < runs; run++) if (requestsUntilOut(0.01, random) !== null) taken += 1;
  process.stdout.write(`taken out falsely: ${taken} of ${runs} runs\n`);
  expect(taken / runs).toBeLessThanOrEqual(0.001);
});

test("a worker that fails one request in four is out within a hundred", () => {
  const random = new Random(7);
  const counts = Array.from({ length: 50 }, () => requestsUntilOut(0.25, random) ?? Infinity);
  expect(counts.toSorted((a, b) => a - b)[25]).toBeLessThan(100);
});

test("a dead worker is out after at most five requests", () => {
  expect(requestsUntilOut(1, new Random(1))).toBe(5);
});
