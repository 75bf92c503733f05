import { describe, expect, test } from "vitest";
import { createTraffic, run, type Trace } from "./traffic.ts";

/**
 * Where more is asked for than there is, all the time, and by ten users alike: there is a queue to wait
 * in. Where somebody waits only now and then, for whichever slot is free first, nobody can tell when
 * that will be.
 */
const STREAMS = Array.from({ length: 10 }, (_, i) => ({
  user: `user-${i}`,
  everyMs: 10_000 / (8 * 1.5),
  requests: 200,
  timeoutMs: 3_600_000,
}));

const FLEET = { workers: 2, slots: 4, serviceMs: 1000 };

/** What they were told when they began to wait, as a multiple of what it was. */
function ratios(traces: readonly Trace[]): number[] {
  return traces.flatMap(({ waitedMs, startsInMs }) =>
    waitedMs === null || startsInMs === null ? [] : [startsInMs / Math.max(waitedMs, 1)],
  );
}

const withinFactorTwo = (all: readonly number[]): number =>
  all.filter((ratio) => ratio >= 0.5 && ratio <= 2).length / all.length;

describe("when a request will start, as told when it begins to wait", () => {
  test.each([
    { service: "steady", isSteady: true, seed: 1 },
    { service: "steady", isSteady: true, seed: 2 },
    { service: "exponential", isSteady: false, seed: 1 },
    { service: "exponential", isSteady: false, seed: 2 },
  ])("is right within a factor of two for nine of ten ($service, seed $seed)", async (terms) => {
    const all = ratios(await run(createTraffic({ ...FLEET, ...terms }), STREAMS));
    expect(all.length).toBeGreaterThan(1900);
    expect(withinFactorTwo(all)).toBeGreaterThan(0.9);
  });

  test.each([1, 2, 3])(
    "is right for a user that floods, by their own pace (seed %i)",
    async (seed) => {
      const others = STREAMS.map((stream) => ({ ...stream, everyMs: stream.everyMs * 2 }));
      const flooder = { user: "flooder", everyMs: 250, requests: 800, timeoutMs: 3_600_000 };
      const traces = await run(createTraffic({ ...FLEET, seed }), [...others, flooder]);
      const theirs = traces.filter(({ user }) => user === "flooder");
      // Until all slots are taken, and a while after, the pace is not that of later.
      const all = ratios(theirs.filter(({ acceptedAtMs }) => acceptedAtMs > 20_000));
      expect(all.length).toBeGreaterThan(500);
      expect(withinFactorTwo(all)).toBeGreaterThan(0.9);
    },
  );
});
