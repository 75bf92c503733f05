import { describe, expect, test } from "vitest";
import { gpuReading, workerSpec } from "../../support/fleet-builders.ts";
import { setUpFleet } from "./fleet-setup.ts";

const GIB = 2 ** 30;

/** What source one reports, by id. */
function report(fleet: ReturnType<typeof setUpFleet>["fleet"], ...ids: readonly string[]): void {
  fleet.gpusReported(
    "one",
    ids.map((id) => gpuReading(id)),
  );
}

function setUpNaming(gpus: readonly string[] | "auto") {
  const workers = [workerSpec("node1", { url: "http://host1:8000", gpus })];
  const all = setUpFleet({ workers });
  const { fleet } = all;
  const missing = () => [...fleet.snapshot().gpus.values()].filter((gpu) => gpu.isMissing);
  return { ...all, missing, missingIds: () => missing().map(({ id }) => id) };
}

describe("a GPU that a configured worker names and that its source reports no longer", () => {
  test("is kept as broken: what it is stays known, what it did is unknown", () => {
    const { fleet, missing } = setUpNaming(["a", "b"]);
    report(fleet, "a", "b");
    report(fleet, "b");
    expect(missing()).toEqual([
      {
        ...gpuReading("a", {
          status: "error",
          memoryTotalBytes: 80 * GIB,
          memoryUsedBytes: null,
          memoryFreeBytes: null,
          utilization: null,
          temperatureC: null,
          powerUsageW: null,
          errorRate: null,
          uptimeS: null,
        }),
        source: "one",
        health: { status: "critical", errors: ["no longer reported by its monitor"] },
        tooHot: false,
        isMissing: true,
      },
    ]);
  });

  test("stays among its worker's GPUs, whether named by id or by auto", () => {
    for (const gpus of [["a", "b"], "auto"] as const) {
      const { fleet, worker } = setUpNaming(gpus);
      report(fleet, "a", "b");
      const placement = worker("node1")?.placement;
      report(fleet, "b");
      const now = worker("node1");
      expect(now?.gpus.map(({ id, isMissing }) => [id, isMissing])).toEqual(
        expect.arrayContaining([
          ["a", true],
          ["b", false],
        ]),
      );
      expect(now?.placement).toBe(placement);
    }
  });

  test("is logged once when it goes, and when it is found again", () => {
    const { fleet, messages, missingIds } = setUpNaming(["a", "b"]);
    report(fleet, "a", "b");
    for (let poll = 0; poll < 3; poll++) report(fleet, "b");
    report(fleet, "a", "b");
    expect(missingIds()).toEqual([]);
    const [, , ...later] = messages();
    expect(later).toEqual(["gpu no longer reported", "gpu found"]);
  });

  test("may be the only one of its source", () => {
    const { fleet, missingIds } = setUpNaming(["a"]);
    report(fleet, "a");
    report(fleet);
    expect(missingIds()).toEqual(["a"]);
  });

  test("is not missing while another source reports it", () => {
    const { fleet, missingIds } = setUpNaming(["a"]);
    report(fleet, "a", "b");
    fleet.gpusReported("two", [gpuReading("a")]);
    report(fleet, "b");
    expect(missingIds()).toEqual([]);
    expect(fleet.snapshot().gpus.get("a")?.source).toBe("two");
    fleet.gpusReported("two", [gpuReading("c")]);
    expect(missingIds()).toEqual(["a"]);
  });

  test("stays missing when its source fails", () => {
    const { fleet, clock, missingIds } = setUpNaming(["a"]);
    report(fleet, "a", "b");
    report(fleet, "b");
    clock.advance(3_600_000);
    fleet.sourceFailed("one", "connection refused");
    expect(missingIds()).toEqual(["a"]);
  });
});

describe("a GPU that nobody names", () => {
  test("is forgotten when it is reported no longer", () => {
    const { fleet } = setUpNaming(["b"]);
    report(fleet, "a", "b");
    report(fleet, "b");
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["b"]);
  });

  test("takes the worker that it reported with it", () => {
    const { fleet, worker } = setUpFleet();
    const endpoint = "http://10.0.0.5:8000";
    fleet.gpusReported("one", [gpuReading("a", { endpoint }), gpuReading("b")]);
    expect(worker("10.0.0.5:8000")).toBeDefined();
    report(fleet, "b");
    expect(worker("10.0.0.5:8000")).toBeUndefined();
  });
});

describe("with gpus: auto", () => {
  test("a new GPU takes the place of one that is gone", () => {
    const { fleet, missingIds } = setUpNaming("auto");
    report(fleet, "a", "b");
    report(fleet, "b");
    expect(missingIds()).toEqual(["a"]);
    report(fleet, "b", "c");
    expect(missingIds()).toEqual([]);
  });

  test("a source that invents ids at each poll does not fill the memory", () => {
    const { fleet } = setUpNaming("auto");
    for (let poll = 0; poll < 100; poll++) {
      const invented = [0, 1].slice(poll % 3).map((place) => `invented-${poll}-${place}`);
      report(fleet, "a", ...invented);
    }
    expect(fleet.snapshot().gpus.size).toBeLessThanOrEqual(3);
  });

  test("the GPUs that are left are all, once the worker was down and came up again", () => {
    const { fleet, missingIds, worker } = setUpNaming("auto");
    fleet.workerTold(0, { state: "up" });
    report(fleet, "a", "b");
    report(fleet, "b");
    fleet.workerTold(0, { state: "up" });
    expect(missingIds()).toEqual(["a"]);
    fleet.workerTold(0, { state: "down" });
    expect(missingIds()).toEqual(["a"]);
    fleet.workerTold(0, { state: "up" });
    expect(worker("node1")?.gpuIds).toEqual(["b"]);
  });

  test("a GPU that a worker names by id stays missing, whoever came up again", () => {
    const workers = [
      workerSpec("node1", { url: "http://host1:8000", gpus: "auto" }),
      workerSpec("node2", { gpus: ["a"] }),
    ];
    const { fleet } = setUpFleet({ workers });
    report(fleet, "a", "b", "c");
    report(fleet, "c");
    fleet.workerTold(0, { state: "up" });
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["c", "a"]);
  });
});

describe("a source that suddenly sees none of its GPUs", () => {
  test("is taken for blind: it fails, and they stay as they were", () => {
    const { fleet, missingIds } = setUpNaming(["a", "b"]);
    report(fleet, "a", "b");
    report(fleet);
    expect(missingIds()).toEqual([]);
    expect([...fleet.snapshot().gpus.keys()]).toEqual(["a", "b"]);
    const failure = "it reports none of its 2 GPUs any more: check the service there";
    expect(fleet.snapshot().sources[0]).toMatchObject({ failure, lastSuccessAtMs: 0 });
    report(fleet, "a", "b");
    expect(fleet.snapshot().sources[0]).toMatchObject({ failure: null });
  });

  test("and others instead has renamed them: its workers are counted by our own leases", () => {
    const { fleet, missingIds, worker } = setUpNaming(["a", "b"]);
    report(fleet, "a", "b");
    report(fleet, "GPU-a", "GPU-b");
    expect(missingIds()).toEqual([]);
    expect(worker("node1")).toMatchObject({ gpuIds: ["a", "b"], gpus: [] });
  });
});
