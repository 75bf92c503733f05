import { expect, test } from "vitest";
import { createCooldowns } from "../../src/app-cooldowns.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { keepingLog } from "../support/fleet-builders.ts";
import { fleetOf, serving } from "../support/routing-builders.ts";

const cordon = { id: "worker-1", reason: null, sinceWallMs: 0, by: "alice", workerIds: [] };

/** Whether worker 0 is taken out for a share of failures that is too high. */
function isTakenOutBeside(...others: Parameters<typeof serving>[1][]): boolean {
  const snapshot = fleetOf([serving(0), ...others.map((other, at) => serving(at + 1, other))]);
  const cooldowns = createCooldowns({
    clock: new FakeClock(),
    log: keepingLog().log,
    settings: () => ({ errorThreshold: 0.1, cooldownMs: 1000, earlyRecovery: false }),
    snapshot: () => snapshot,
    onCooling: () => undefined,
  });
  for (let tried = 0; tried < 100; tried++) {
    const isFailure = tried % 2 === 0;
    const wasProbe = cooldowns.began(0);
    cooldowns.ended(0, {
      class: isFailure ? "failure" : "success",
      failure: isFailure ? "it broke" : "",
      wasProbe,
    });
  }
  return cooldowns.isCooling(0);
}

test("a worker is taken out for its share of failures only where another can do its work", () => {
  expect(isTakenOutBeside({})).toBe(true);
  expect(isTakenOutBeside()).toBe(false);
  expect(isTakenOutBeside({ models: new Map() })).toBe(false);
});

test("a worker that is cordoned can do nobody's work", () => {
  expect(isTakenOutBeside({ cordon })).toBe(false);
  expect(isTakenOutBeside({ cordon }, {})).toBe(true);
});
