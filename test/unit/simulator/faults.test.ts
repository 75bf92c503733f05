import { describe, expect, test } from "vitest";
import { drawHistory } from "../../../src/simulator/history.ts";
import { replay } from "../../../src/simulator/replay.ts";
import { runScene } from "../../../src/simulator/run-scene.ts";
import type { World } from "../../../src/simulator/world.ts";

const SEEDS = 200;

async function eventsOf(seed: number): Promise<string[]> {
  const events: string[] = [];
  await runScene(drawHistory(seed), { tell: (ms, text) => void events.push(`${ms} ${text}`) });
  return events;
}

test(`no rule is broken in ${SEEDS} histories of faults`, { timeout: 120_000 }, async () => {
  const reports: string[] = [];
  for (let seed = 1; seed <= SEEDS && reports.length < 3; seed++) {
    const { violation } = await runScene(drawHistory(seed));
    if (violation) reports.push(await replay(seed));
  }
  expect(reports.join("\n\n")).toBe("");
});

test("the same seed is the same history, event by event", async () => {
  for (const seed of [3, 4711]) {
    const events = await eventsOf(seed);
    expect(events.length).toBeGreaterThan(50);
    expect(await eventsOf(seed)).toEqual(events);
  }
});

test("another seed is another history", () => {
  expect(drawHistory(1).requests).not.toEqual(drawHistory(2).requests);
});

test("a replay tells the last events, and how to play them again", async () => {
  const report = await replay(3);
  expect(report).toContain("goes to w");
  expect(report).toContain("replay: npm run simulate:faults -- --seed 3 --trace");
});

describe("a broken rule is seen:", () => {
  const worker = ({ loop }: World) => loop.fleet.snapshot().workers[0]!;

  /** Each does once, from outside, what a defect in the router would do. */
  const defects: readonly (readonly [string, (world: World) => void])[] = [
    [
      "a lease of nobody",
      (world) => void world.leases.take(worker(world), leaseOf("nobody", "ann")),
    ],
    ["open reservations: 1", ({ quotas }) => void quotas.reserve("zoe", 1)],
    ["1 of its timers are set", ({ timeline }) => void timeline.router.every(60_000, () => {})],
    [
      "has 2 probes in flight",
      ({ cooldowns }) => {
        const fail = { class: "connection", failure: "refused", wasProbe: false } as const;
        for (let row = 0; row < 3; row++) cooldowns.ended(0, fail);
        cooldowns.began(0);
        cooldowns.began(0);
      },
    ],
    [
      "something threw: Error: a timer",
      ({ timeline }) =>
        void timeline.router.after(1000, () => {
          throw new Error("a timer");
        }),
    ],
    [
      "was sent to w0 after its end",
      ({ ledger }) => {
        const opened = ledger.opened.bind(ledger);
        ledger.opened = (entry) => {
          opened(entry);
          const end = { status: 200, error: null, attempts: [], queueMs: 0 };
          ledger.ended(entry.request, end);
        };
      },
    ],
    ["and nobody asked for it", ({ ledger }) => void (ledger.opened = () => undefined)],
  ];

  test.each(defects)("%s", async (rule, sabotage) => {
    const { violation } = await runScene(drawHistory(3), { onStart: sabotage });
    expect(violation?.message).toContain(rule);
  });
});

function leaseOf(requestId: string, user: string) {
  return { requestId, user, memoryBytes: 0 };
}
