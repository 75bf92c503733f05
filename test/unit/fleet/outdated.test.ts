import { describe, expect, test } from "vitest";
import { isOutdated, withoutMoment } from "../../../src/fleet/outdated.ts";
import { gpu, gpuReading } from "../../support/fleet-builders.ts";
import { setUpFleet } from "./fleet-setup.ts";

describe("what a failing source said", () => {
  const after = (pollsAgo: number, lastSuccessAtMs: number | null = 0) =>
    isOutdated({ lastSuccessAtMs, nowMs: pollsAgo * 5000, updateIntervalMs: 5000 });

  test("is outdated after more than five polls", () => {
    expect(after(5)).toBe(false);
    expect(after(5.001)).toBe(true);
  });

  test("is not outdated where it never said anything", () => {
    expect(after(100, null)).toBe(false);
  });
});

test("without the figures of the moment, a GPU keeps what it is and what condemned it", () => {
  const health = { status: "critical", errors: ["XID 79"] } as const;
  const processes = [{ pid: 1, name: "python", memoryUsedBytes: 1 }];
  const before = gpu("a", { status: "error", health, temperatureC: 91, tooHot: true, processes });
  expect(withoutMoment(before)).toEqual({
    ...before,
    memoryUsedBytes: null,
    memoryFreeBytes: null,
    utilization: null,
    temperatureC: null,
    powerUsageW: null,
    processes: [],
    tooHot: false,
  });
});

describe("a source that has been failing for long", () => {
  function setUpHot() {
    const all = setUpFleet();
    const { fleet } = all;
    fleet.gpusReported("one", [gpuReading("a", { temperatureC: 90 })]);
    fleet.gpusReported("two", [gpuReading("b", { temperatureC: 90 })]);
    return { ...all, a: () => fleet.snapshot().gpus.get("a") };
  }

  test("steers nothing any more: a GPU is not too hot for ever", () => {
    const { fleet, clock, a } = setUpHot();
    clock.advance(25_000);
    fleet.sourceFailed("one", "connection refused");
    expect(a()).toMatchObject({ temperatureC: 90, tooHot: true });
    clock.advance(1);
    fleet.sourceFailed("one", "connection refused");
    expect(a()).toMatchObject({ temperatureC: null, tooHot: false, name: "Test GPU 80GB" });
    expect(fleet.snapshot().gpus.get("b")).toMatchObject({ temperatureC: 90, tooHot: true });
  });

  test("says so in the log once, and once that it is back", () => {
    const { fleet, clock, messages, a } = setUpHot();
    for (let poll = 0; poll < 20; poll++) {
      clock.advance(5000);
      fleet.sourceFailed("one", "connection refused");
    }
    fleet.gpusReported("one", [gpuReading("a", { temperatureC: 60 })]);
    const aboutSource = messages().filter((message) => message.startsWith("gpu source"));
    expect(aboutSource).toEqual([
      "gpu source failing",
      "gpu source outdated, its figures count as unknown",
      "gpu source answers again",
    ]);
    expect(a()).toMatchObject({ temperatureC: 60, tooHot: false });
  });

  test("is believed as long as it merely has not been asked", () => {
    const { clock, a } = setUpHot();
    clock.advance(3_600_000);
    expect(a()).toMatchObject({ temperatureC: 90, tooHot: true });
  });

  test("does not hide what another source says of the same GPU", () => {
    const { fleet, clock, a } = setUpHot();
    fleet.gpusReported("two", [gpuReading("a", { temperatureC: 50 })]);
    expect(a()).toMatchObject({ source: "one", temperatureC: 90 });
    clock.advance(25_001);
    fleet.sourceFailed("one", "connection refused");
    expect(a()).toMatchObject({ source: "two", temperatureC: 50 });
  });
});
