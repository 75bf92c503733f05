import { expect, test } from "vitest";
import type { FleetConfig } from "../../../src/fleet/fleet.ts";
import { gpuReading, workerSpec } from "../../support/fleet-builders.ts";
import { setUpFleet } from "./fleet-setup.ts";

const workers = [
  workerSpec("on-a", { gpus: ["a"] }),
  workerSpec("on-a-and-b", { gpus: ["a", "b"] }),
  workerSpec("on-b", { gpus: ["b"] }),
  workerSpec("bare"),
];
const SAID = { by: "alice", reason: "driver upgrade" };

function setUp() {
  const { fleet, clock } = setUpFleet({ workers });
  const out = (): readonly string[] =>
    fleet.snapshot().workers.flatMap(({ id, cordon }) => (cordon === null ? [] : [id]));
  const config: FleetConfig = {
    ...{ workers, maxTemperatureC: 85, updateIntervalMs: 5000, workerHosts: [] },
  };
  return { fleet, clock, out, config };
}

test("a GPU's id cordons every worker on it, a worker's id that worker alone", () => {
  const { fleet, out } = setUp();
  expect(out()).toEqual([]);
  fleet.cordon("a", SAID);
  expect(out()).toEqual(["on-a", "on-a-and-b"]);
  fleet.cordon("on-b", SAID);
  fleet.cordon("bare", SAID);
  expect(out()).toEqual(["on-a", "on-a-and-b", "on-b", "bare"]);
  fleet.uncordon("a");
  expect(out()).toEqual(["on-b", "bare"]);
});

test("a worker stays out until its own cordon and those of all its GPUs have ended", () => {
  const { fleet, out } = setUp();
  for (const id of ["a", "b", "on-a"]) fleet.cordon(id, SAID);
  fleet.uncordon("a");
  expect(out()).toEqual(["on-a", "on-a-and-b", "on-b"]);
  fleet.uncordon("b");
  expect(out()).toEqual(["on-a"]);
});

test("cordoned again, only the reason changes, and only to one that is given", () => {
  const { fleet, clock } = setUp();
  fleet.cordon("a", SAID);
  const first = { id: "a", by: "alice", reason: "driver upgrade", sinceWallMs: clock.wallMs() };
  clock.advance(60_000);
  fleet.cordon("a", { by: "bob", reason: null });
  expect(fleet.snapshot().cordons.get("a")).toEqual(first);
  fleet.cordon("a", { by: "bob", reason: "new fan" });
  expect(fleet.snapshot().cordons.get("a")).toEqual({ ...first, reason: "new fan" });
  fleet.uncordon("a");
  fleet.cordon("a", { by: "bob", reason: null });
  const anew = { id: "a", by: "bob", reason: null, sinceWallMs: clock.wallMs() };
  expect(fleet.snapshot().cordons.get("a")).toEqual(anew);
});

test("a cordon outlives polls, an outage of the monitor, and the worker's absence", () => {
  const { fleet, out, config } = setUp();
  fleet.cordon("a", SAID);
  fleet.gpusReported("one", [gpuReading("a"), gpuReading("b")]);
  fleet.sourceFailed("one", "connection refused");
  fleet.gpusReported("one", [gpuReading("b")]);
  fleet.removeSource("one");
  expect(out()).toEqual(["on-a", "on-a-and-b"]);
  fleet.reconfigure({ ...config, workers: workers.slice(2) });
  expect(out()).toEqual([]);
  fleet.reconfigure(config);
  expect(out()).toEqual(["on-a", "on-a-and-b"]);
});

test("a worker with gpus: auto is out with a GPU that its host reports", () => {
  const auto = workerSpec("auto", { url: "http://host1:8000", gpus: "auto" });
  const { fleet, worker } = setUpFleet({ workers: [auto] });
  fleet.cordon("a", SAID);
  expect(worker("auto")?.cordon).toBeNull();
  fleet.gpusReported("one", [gpuReading("a")]);
  expect(worker("auto")?.cordon).toMatchObject({ id: "a" });
});

test("a snapshot that was taken before stays as it was", () => {
  const { fleet } = setUp();
  const before = fleet.snapshot();
  fleet.cordon("a", SAID);
  expect(before.cordons.size).toBe(0);
  expect(fleet.snapshot().version).toBeGreaterThan(before.version);
});
