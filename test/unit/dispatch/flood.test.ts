import { describe, expect, test } from "vitest";
import { createTraffic, run, waitMs, type Fleet, type Stream, type Trace } from "./traffic.ts";

/** Four slots of a second each on average: four requests a second. */
const FLEET: Fleet = { workers: 2, slots: 2, serviceMs: 1000, seed: 1 };
const TEN_USERS = Array.from({ length: 10 }, (_, i) => `user-${i}`);

function streams(load: number, requests: number, changes: Partial<Stream> = {}): Stream[] {
  const everyMs = (TEN_USERS.length * FLEET.serviceMs) / (4 * load);
  return TEN_USERS.map((user) => ({ user, everyMs, requests, ...changes }));
}

describe("ten users of four fifths of the fleet", () => {
  /**
   * Their p99 is that of waiting for slots in the quiet case, too: with more slots, or less to do, nobody
   * waits there, and any wait is a multiple of none. Where every slot is always taken, even to go before
   * all others means to wait for one.
   */
  test.each([1, 2, 3])(
    "wait at most half as long again while another floods (seed %i)",
    async (seed) => {
      const others = streams(0.8, 400);
      const everyMs = others[0]!.everyMs / 100;
      const flooder = { user: "flooder", everyMs, requests: 40_000 };
      const quiet = await run(createTraffic({ ...FLEET, seed }), others);
      const flooded = await run(createTraffic({ ...FLEET, seed }), [...others, flooder]);
      const theirs = flooded.filter(({ user }) => user !== "flooder");
      expect(waitMs(quiet, 0.9)).toBeGreaterThan(1000);
      expect(waitMs(theirs, 0.99)).toBeLessThan(1.5 * waitMs(quiet, 0.99));
      // The flooder has what they leave.
      const served = flooded.filter(
        ({ user, waitedMs }) => user === "flooder" && waitedMs !== null,
      );
      expect(served.length).toBeGreaterThan(500);
    },
  );
});

describe("users who all want more than there is", () => {
  test("are served alike, whoever asks how often", async () => {
    const eager = streams(2, 1500).map((stream, i) => ({
      ...stream,
      everyMs: stream.everyMs / (1 + (i % 3)),
    }));
    const traces = await run(createTraffic(FLEET), eager);
    const early = traces.filter(({ acceptedAtMs }) => acceptedAtMs < 400_000);
    const work = TEN_USERS.map((user) => workOf(early.filter((trace) => trace.user === user)));
    expect(jain(work)).toBeGreaterThan(0.99);
  });
});

describe("a flood of band 5", () => {
  const STEPS = [
    { timeoutMs: 30_000, stepMs: 5000 },
    { timeoutMs: 600_000, stepMs: 30_000 },
  ];

  test.each(STEPS)("holds up band 1 for four steps of $stepMs ms and two rounds", async (terms) => {
    const { timeoutMs, stepMs } = terms;
    const users = TEN_USERS.length;
    const fleet = { ...FLEET, isSteady: true };
    const [floods, patient] = [streams(3, 2500).slice(0, 7), TEN_USERS.slice(7)];
    const traces = await run(createTraffic(fleet), [
      ...floods.map((stream) => ({ ...stream, band: 5 as const })),
      ...patient.map((user) => ({
        user,
        band: 1 as const,
        everyMs: 9000,
        requests: 150,
        timeoutMs,
      })),
    ]);
    const during = traces.filter(({ user }) => patient.includes(user));
    const waits = during.map(({ waitedMs }) => waitedMs ?? Infinity);
    // Every other turn is theirs; a turn comes every quarter of a second.
    const roundMs = (users * FLEET.serviceMs) / 4;
    const longest = Math.max(...waits);
    expect(longest).toBeLessThan(4 * stepMs + 2 * roundMs);
    expect(longest).toBeGreaterThan(4 * stepMs);
  });
});

function workOf(traces: readonly Trace[]): number {
  return traces.reduce(
    (sum, { serviceMs, waitedMs }) => sum + (waitedMs === null ? 0 : serviceMs),
    0,
  );
}

function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return (sum * sum) / (values.length * squares);
}
