import { describe, expect, test } from "vitest";
import { createSpeedBook } from "../../../src/fleet/speed.ts";
import { gpuReading } from "../../support/fleet-builders.ts";
import { setUpFleet } from "./fleet-setup.ts";

describe("the GPUs of a source", () => {
  test("are replaced whole by its next report", () => {
    const { fleet, messages } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a"), gpuReading("b")]);
    fleet.gpusReported("one", [gpuReading("b"), gpuReading("c")]);
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["b", "c"]);
    expect(messages()).toContain("gpu no longer reported");
  });

  test("are kept when it fails, with the age of its last report", () => {
    const { fleet, clock } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a")]);
    clock.advance(5000);
    fleet.gpusReported("two", [gpuReading("b")]);
    fleet.sourceFailed("one", "connection refused");
    const { gpus, sources } = fleet.snapshot();
    expect([...gpus.keys()]).toEqual(["a", "b"]);
    expect(sources).toEqual([
      {
        name: "one",
        host: "host1",
        lastSuccessAtMs: 0,
        failure: "connection refused",
        isOutdated: false,
      },
      { name: "two", host: "host2", lastSuccessAtMs: 5000, failure: null, isOutdated: false },
    ]);
  });

  test("an outage of it is logged once, and its end", () => {
    const { fleet, messages } = setUpFleet();
    fleet.sourceFailed("one", "connection refused");
    fleet.sourceFailed("one", "connection refused");
    fleet.gpusReported("one", []);
    expect(messages()).toEqual(["gpu source failing", "gpu source answers again"]);
    expect(fleet.snapshot().sources[0]?.failure).toBeNull();
  });

  test("of the same id in two sources are those of the first", () => {
    const { fleet } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a", { name: "first" })]);
    fleet.gpusReported("two", [gpuReading("a", { name: "second" })]);
    expect(fleet.snapshot().gpus.get("a")?.name).toBe("first");
  });

  test("are too hot until they are 5 °C below the limit", () => {
    const { fleet, messages } = setUpFleet();
    const tooHotAt = (temperatureC: number) => {
      fleet.gpusReported("one", [gpuReading("a", { temperatureC })]);
      return fleet.snapshot().gpus.get("a")?.tooHot;
    };
    expect([84, 85, 82, 80].map(tooHotAt)).toEqual([false, true, true, false]);
    expect(messages()).toEqual(["gpu found", "gpu too hot, not used", "gpu cool again, used"]);
  });

  test("are warned of when they go to error, not when they become busy", () => {
    const { fleet, lines } = setUpFleet();
    for (const status of ["available", "busy", "error"] as const) {
      fleet.gpusReported("one", [gpuReading("a", { status })]);
    }
    expect(lines.map(({ level }) => level)).toEqual(["info", "debug", "warn"]);
  });
});

describe("a GPU's health check", () => {
  test("is kept from poll to poll, and a change of it is logged", () => {
    const { fleet, messages } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a")]);
    fleet.healthReported("one", "a", { status: "critical", errors: ["XID 79"] });
    fleet.gpusReported("one", [gpuReading("a")]);
    expect(fleet.snapshot().gpus.get("a")?.health?.status).toBe("critical");
    expect(messages()).toContain("gpu health changed");
  });

  test("is a warning where it turns critical or no longer is, and else the daily round", () => {
    const { fleet, lines } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a")]);
    const statuses = ["healthy", "warning", "healthy", "critical", "critical", "warning"] as const;
    for (const status of statuses) fleet.healthReported("one", "a", { status, errors: [] });
    fleet.healthReported("one", "a", { status: "critical", errors: [] });
    fleet.healthReported("one", "a", null);
    const changes = lines.filter(({ message }) => message === "gpu health changed");
    expect(changes.map(({ level, fields }) => [level, fields["status"]])).toEqual([
      ["debug", "warning"],
      ["debug", "healthy"],
      ["warn", "critical"],
      ["warn", "warning"],
      ["warn", "critical"],
      ["warn", "unknown"],
    ]);
  });

  test("of a GPU that is gone is ignored", () => {
    const { fleet } = setUpFleet();
    fleet.healthReported("one", "a", { status: "critical", errors: [] });
    expect(fleet.snapshot().gpus.size).toBe(0);
  });

  test("does not alter a snapshot that was taken before", () => {
    const { fleet } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a")]);
    const before = fleet.snapshot();
    fleet.healthReported("one", "a", { status: "warning", errors: [] });
    expect(before.gpus.get("a")?.health).toBeNull();
    expect(fleet.snapshot().gpus.get("a")?.health?.status).toBe("warning");
  });
});

describe("what a worker tells", () => {
  test("is merged into what is known of it", () => {
    const { fleet, worker, clock } = setUpFleet();
    fleet.workerTold(0, { state: "up", stateReason: null, models: ["llama"], slots: 7 });
    fleet.workerTold(0, { load: { active: 3, ownAtPoll: 1, receivedAtMs: 0 } });
    clock.advance(1000);
    expect(worker("node1")).toMatchObject({ state: "up", slots: 7, load: { active: 3 } });
    expect(worker("node2")).toMatchObject({ state: "starting" });
  });

  test("shows at once if its state changes, and is logged", () => {
    const { fleet, worker, messages } = setUpFleet();
    fleet.workerTold(0, { state: "up", stateReason: null });
    fleet.workerTold(0, { state: "down", stateReason: "connection refused" });
    expect(worker("node1")).toMatchObject({ state: "down", stateReason: "connection refused" });
    expect(messages()).toEqual(["worker state changed", "worker state changed"]);
  });

  test("about its load shows within 50 ms, so that thousands of workers make one snapshot", () => {
    const { fleet, clock } = setUpFleet();
    const before = fleet.snapshot();
    fleet.workerTold(0, { load: { active: 3, ownAtPoll: 1, receivedAtMs: 0 } });
    fleet.workerTold(1, { load: { active: 4, ownAtPoll: 1, receivedAtMs: 0 } });
    expect(fleet.snapshot()).toBe(before);
    clock.advance(50);
    expect(fleet.snapshot().version).toBe(before.version + 1);
    expect(fleet.snapshot().workers.map(({ load }) => load?.active)).toEqual([3, 4]);
  });

  test("is ignored for a worker that does not exist", () => {
    const { fleet } = setUpFleet();
    fleet.workerTold(99, { state: "up" });
    expect(fleet.snapshot().workers.map(({ state }) => state)).toEqual(["starting", "starting"]);
  });
});

describe("a model that a worker denied", () => {
  test("is not sent there again until the worker is asked anew", () => {
    const { fleet, clock } = setUpFleet();
    fleet.workerTold(0, { state: "up", models: ["llama"] });
    fleet.modelMissing(0, "llama");
    expect(fleet.snapshot().workersByModel.has("llama")).toBe(false);
    fleet.workerTold(0, { load: null });
    expect(fleet.snapshot().workersByModel.has("llama")).toBe(false);
    fleet.workerTold(0, { state: "up", models: ["llama"] });
    clock.advance(50);
    expect(fleet.snapshot().workersByModel.has("llama")).toBe(true);
  });
});

describe("workers from reported endpoints", () => {
  const endpoint = "http://10.0.0.5:8000";

  test("exist as long as a GPU reports them, and keep their index when they come back", () => {
    const { fleet, worker } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a", { endpoint })]);
    expect(worker("10.0.0.5:8000")).toMatchObject({ index: 2, gpuIds: ["a"] });
    fleet.gpusReported("one", [gpuReading("a")]);
    expect(worker("10.0.0.5:8000")).toBeUndefined();
    fleet.gpusReported("one", [gpuReading("b", { endpoint })]);
    expect(worker("10.0.0.5:8000")).toMatchObject({ index: 2, gpuIds: ["b"] });
  });

  test("keep what they told when their GPUs change", () => {
    const { fleet, worker } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a", { endpoint })]);
    fleet.workerTold(2, { state: "up", models: ["llama"] });
    fleet.gpusReported("one", [gpuReading("a", { endpoint }), gpuReading("b", { endpoint })]);
    expect(worker("10.0.0.5:8000")).toMatchObject({ state: "up", gpuIds: ["a", "b"] });
  });

  test("the same GPU at another endpoint is another worker, with a new index", () => {
    const { fleet, worker } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a", { endpoint })]);
    fleet.gpusReported("one", [gpuReading("a", { endpoint: "http://10.0.0.5:8001" })]);
    expect(worker("10.0.0.5:8000")).toBeUndefined();
    expect(worker("10.0.0.5:8001")).toMatchObject({ index: 3 });
  });

  test("the same id at another URL is another worker, of which nothing is known yet", () => {
    const { fleet, worker } = setUpFleet();
    fleet.gpusReported("one", [gpuReading("a", { endpoint })]);
    fleet.workerTold(2, { state: "up", models: ["llama"] });
    fleet.gpusReported("one", [gpuReading("a", { endpoint: "https://10.0.0.5:8000" })]);
    expect(worker("10.0.0.5:8000")).toMatchObject({ index: 3, state: "starting" });
  });

  test("elsewhere are ignored, and said so once", () => {
    const { fleet, lines } = setUpFleet();
    const readings = [gpuReading("a", { endpoint: "http://10.0.0.6:8000" })];
    fleet.gpusReported("one", readings);
    fleet.gpusReported("one", readings);
    const ignored = lines.filter(({ message }) => message === "reported endpoint ignored");
    expect(ignored).toHaveLength(1);
    expect(fleet.snapshot().workers).toHaveLength(2);
  });
});

describe("a snapshot", () => {
  test("is the same one until a fact changes", () => {
    const { fleet } = setUpFleet();
    expect(fleet.snapshot()).toBe(fleet.snapshot());
  });

  test("has its speeds settled anew when told", () => {
    const speeds = createSpeedBook();
    const { fleet } = setUpFleet({ speeds });
    const sample = { model: "llama", tokens: 100, concurrency: 1 };
    fleet.snapshot();
    for (let i = 0; i < 100; i++) {
      speeds.observe({ ...sample, workerIndex: 0, durationMs: 1000 });
      speeds.observe({ ...sample, workerIndex: 1, durationMs: 4000 });
    }
    expect(fleet.snapshot().speeds.of(0, "llama")).toBe(1);
    fleet.refreshSpeeds();
    expect(fleet.snapshot().speeds.of(0, "llama")).toBeGreaterThan(1.3);
  });
});
