import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { gpuReading, workerSpec } from "../../support/fleet-builders.ts";
import { setUpFleet } from "./fleet-setup.ts";

const readings = (...ids: readonly string[]) => ids.map((id) => gpuReading(id));

/** A worker with `gpus: auto` at this URL, and the source of this machine's own GPUs. */
function setUp(url: string) {
  const auto = workerSpec("here", { url, gpus: "auto" });
  const scene = setUpFleet({ workers: [auto] });
  scene.fleet.addSource("nvidia-smi", "localhost");
  return {
    ...scene,
    report: (...ids: readonly string[]) => scene.fleet.gpusReported("nvidia-smi", readings(...ids)),
    told: (state: "up" | "down") => scene.fleet.workerTold(0, { state }),
    gpusOf: () => {
      scene.clock.advance(50);
      return scene.worker("here")?.gpus.map(({ id, isMissing }) => [id, isMissing]);
    },
  };
}

describe("gpus: auto on this machine", () => {
  test.each([
    "http://localhost:8000",
    "http://127.0.0.1:8000",
    "http://[::1]:8000",
    `http://${hostname()}:8000`,
  ])(
    "%s is on what is read here, keeps what is lost, and forgets it when it starts anew",
    (url) => {
      const { report, told, gpusOf } = setUp(url);
      told("up");
      report("a", "b");
      expect(gpusOf()).toEqual([
        ["a", false],
        ["b", false],
      ]);
      report("a");
      expect(gpusOf()).toEqual([
        ["a", false],
        ["b", true],
      ]);
      told("down");
      told("up");
      expect(gpusOf()).toEqual([["a", false]]);
    },
  );

  test("a worker elsewhere has none of them", () => {
    const { report, gpusOf } = setUp("http://198.51.100.7:8000");
    report("a");
    expect(gpusOf()).toEqual([]);
  });

  test("nobody is told that its GPUs are unknown", () => {
    const { report, fleet, lines } = setUp("http://127.0.0.1:8000");
    fleet.removeSource("one");
    fleet.removeSource("two");
    report("a");
    fleet.tellUnknownGpus();
    expect(lines.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

test("a monitoring service is on this machine too, however its URL spells it", () => {
  const auto = workerSpec("here", { url: "http://localhost:8000", gpus: "auto" });
  const { fleet, worker } = setUpFleet({ workers: [auto] });
  fleet.addSource("127.0.0.1:8080", "127.0.0.1");
  fleet.gpusReported("127.0.0.1:8080", readings("a"));
  expect(worker("here")?.gpuIds).toEqual(["a"]);
});
