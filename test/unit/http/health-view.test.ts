import { expect, test } from "vitest";
import type { SourceState } from "../../../src/fleet/snapshot.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { viewHealth } from "../../../src/http/health-view.ts";
import { gpu } from "../../support/fleet-builders.ts";
import { fleetOf, serving } from "../../support/routing-builders.ts";

const failing: SourceState = {
  name: "10.0.0.10:8080",
  host: "10.0.0.10",
  lastSuccessAtMs: 1000,
  failure: "connection refused",
  isOutdated: false,
};

function healthOf(workers: readonly Worker[], sources: readonly SourceState[] = []) {
  return viewHealth({
    snapshot: fleetOf(workers, { sources }),
    isCooling: () => false,
    nowMs: 61_000,
    uptimeMs: 61_000,
    bootId: "boot",
    overload: { lowestBand: 1, shortages: [] },
    retiring: false,
    draining: false,
  });
}

test("a monitor that fails degrades health; once it is outdated, health says since when and what that means", () => {
  expect(healthOf([serving(0)], [failing])).toMatchObject({
    status: "degraded",
    reasons: ["monitor-1 fails: routing on what was known; the log says why"],
    monitors: [{ name: "monitor-1", status: "failing", age_ms: 60_000 }],
  });
  expect(healthOf([serving(0)], [{ ...failing, isOutdated: true }])).toMatchObject({
    status: "degraded",
    reasons: [
      "monitor-1 has failed for 60 s: its temperatures, memory and utilization count as unknown",
    ],
  });
});

test.each([
  ["too hot", { tooHot: true }],
  ["in error", { status: "error" }],
  ["under maintenance", { status: "maintenance" }],
  ["critical", { health: { status: "critical", errors: [] } }],
  ["missing", { isMissing: true }],
] as const)("a worker with a GPU that is %s degrades health", (_what, changes) => {
  const workers = [serving(0), serving(1, { gpus: [gpu("a"), gpu("b", changes)] })];
  expect(healthOf(workers)).toMatchObject({
    status: "degraded",
    reasons: ["1 worker(s) with a GPU that is too hot, broken or no longer reported"],
  });
});

test("a GPU that is busy, or that a health check warns of, does not", () => {
  const health = { status: "warning", errors: ["power brake"] } as const;
  const workers = [serving(0, { gpus: [gpu("a", { status: "busy" }), gpu("b", { health })] })];
  expect(healthOf(workers)).toMatchObject({ status: "healthy", reasons: [] });
});

test("a fleet of which an operator has cordoned all that is up can serve nobody", () => {
  const cordon = { id: "a", reason: null, sinceWallMs: 0, by: "alice", workerIds: [] };
  const [cordoned, other] = [serving(0, { cordon }), serving(1)];
  expect(healthOf([cordoned, other])).toMatchObject({
    status: "degraded",
    reasons: ["1 worker(s) cordoned"],
    workers: { up: 2, cordoned: 1 },
  });
  expect(healthOf([cordoned])).toMatchObject({ status: "unhealthy" });
  expect(healthOf([cordoned, serving(1, { state: "down" })])).toMatchObject({
    status: "unhealthy",
    reasons: ["1 worker(s) down", "1 worker(s) cordoned"],
  });
});
