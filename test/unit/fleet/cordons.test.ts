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
  const sinceWallMs = clock.wallMs();
  const workerIds = ["on-a", "on-a-and-b"];
  const first = { id: "a", by: "alice", reason: "driver upgrade", sinceWallMs, workerIds };
  clock.advance(60_000);
  fleet.cordon("a", { by: "bob", reason: null });
  expect(fleet.snapshot().cordons.get("a")).toEqual(first);
  fleet.cordon("a", { by: "bob", reason: "new fan" });
  expect(fleet.snapshot().cordons.get("a")).toEqual({ ...first, reason: "new fan" });
  fleet.uncordon("a");
  fleet.cordon("a", { by: "bob", reason: null });
  const anew = { id: "a", by: "bob", reason: null, sinceWallMs: clock.wallMs(), workerIds };
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

/** Two GPUs on the host of a worker with `gpus: auto`, and one of them cordoned. */
function setUpAuto() {
  const auto = workerSpec("auto", { url: "http://host1:8000", gpus: "auto" });
  const { fleet, worker } = setUpFleet({ workers: [auto] });
  fleet.gpusReported("one", [gpuReading("a"), gpuReading("b")]);
  fleet.cordon("a", SAID);
  const cordonId = () => worker("auto")?.cordon?.id ?? null;
  const { index } = worker("auto")!;
  return { fleet, worker, cordonId, index };
}

test("a worker with gpus: auto stays out where it starts again while no GPU is reported", () => {
  const { fleet, worker, cordonId, index } = setUpAuto();
  fleet.workerTold(index, { state: "up" });
  fleet.gpusReported("one", [gpuReading("b")]);
  fleet.workerTold(index, { state: "down" });
  fleet.workerTold(index, { state: "up" });
  expect(worker("auto")?.gpuIds).toEqual(["b"]);
  expect(cordonId()).toBe("a");
  fleet.uncordon("a");
  expect(cordonId()).toBeNull();
});

test.each<[string, (fleet: ReturnType<typeof setUpAuto>["fleet"]) => void]>([
  ["a card that is exchanged", (fleet) => fleet.gpusReported("one", [gpuReading("new")])],
  ["a monitor that is taken away", (fleet) => fleet.removeSource("one")],
])("a cordon on a GPU outlives %s, for the worker that was on it", (_what, change) => {
  const { fleet, worker, cordonId } = setUpAuto();
  change(fleet);
  expect(worker("auto")?.gpuIds).not.toContain("a");
  expect(cordonId()).toBe("a");
});

test("cordoned again, workers that came to the GPU meanwhile stay out as well", () => {
  const { fleet, out, config } = setUp();
  fleet.reconfigure({ ...config, workers: workers.slice(1) });
  fleet.cordon("a", SAID);
  fleet.reconfigure(config);
  fleet.cordon("a", SAID);
  const moved = workers.map((spec) => ({ ...spec, gpus: ["b"] }));
  fleet.reconfigure({ ...config, workers: moved });
  expect(out()).toEqual(["on-a", "on-a-and-b"]);
});

test("a worker that a reload took away is known by the GPUs that it was on", () => {
  const { fleet, index } = setUpAuto();
  expect(fleet.retired()).toEqual([]);
  const config = { maxTemperatureC: 85, updateIntervalMs: 5000, workerHosts: [] };
  fleet.reconfigure({ ...config, workers: [] });
  expect(fleet.snapshot().workers).toEqual([]);
  expect(fleet.retired()).toEqual([{ index, id: "auto", gpuIds: ["a", "b"] }]);
});

test("a snapshot that was taken before stays as it was", () => {
  const { fleet } = setUp();
  const before = fleet.snapshot();
  fleet.cordon("a", SAID);
  expect(before.cordons.size).toBe(0);
  expect(fleet.snapshot().version).toBeGreaterThan(before.version);
});
