import { describe, expect, test } from "vitest";
import { Overload, type Pressure, type Shortage } from "../../../src/admission/overload.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const CALM: Pressure = { loopDelayMs: 5, heapShare: 0.4, memoryShare: 0.4 };
const SAMPLE_MS = 250;

function watch() {
  const clock = new FakeClock();
  const changes: { lowestBand: number; shortages: readonly Shortage[] }[] = [];
  const overload = new Overload({ clock, onChange: (change) => void changes.push(change) });
  /** One sample after the other, the first one a quarter of a second from now. */
  function feel(pressure: Partial<Pressure>, forMs: number): number {
    for (let ms = 0; ms < forMs; ms += SAMPLE_MS) {
      clock.advance(SAMPLE_MS);
      overload.sample({ ...CALM, ...pressure });
    }
    return overload.lowestBand;
  }
  const bands = () => changes.map(({ lowestBand }) => lowestBand);
  return { overload, feel, bands, changes };
}

test("a calm process refuses nothing and keeps its connections", () => {
  const { overload, feel, changes } = watch();
  expect(feel({}, 60_000)).toBe(1);
  expect([overload.isStrained, overload.shortages, changes]).toEqual([false, [], []]);
});

describe("connections are sent away", () => {
  test.each([
    ["a loop that is late by 200 ms", { loopDelayMs: 200 }, false],
    ["a loop that is later", { loopDelayMs: 201 }, true],
    ["a heap that is full to 0.92", { heapShare: 0.92 }, false],
    ["a fuller heap", { heapShare: 0.921 }, true],
    ["memory that is fuller", { memoryShare: 0.921 }, true],
  ])("by %s: %j, %s", (_, pressure, isStrained) => {
    const { overload, feel } = watch();
    feel(pressure, SAMPLE_MS);
    expect(overload.isStrained).toBe(isStrained);
    expect(overload.lowestBand).toBe(1);
    feel({}, SAMPLE_MS);
    expect(overload.isStrained).toBe(false);
  });
});

describe("an event loop that is late", () => {
  const late = { loopDelayMs: 300 };

  test("for less than a second refuses nothing", () => {
    const { feel } = watch();
    expect(feel(late, 1000)).toBe(1);
    expect(feel({}, SAMPLE_MS)).toBe(1);
    expect(feel(late, 1000)).toBe(1);
  });

  test("for a second refuses the lowest band, and one more each second, all at last", () => {
    const { feel, bands, overload } = watch();
    expect(feel(late, 1250)).toBe(2);
    expect(feel(late, 750)).toBe(2);
    expect(feel(late, SAMPLE_MS)).toBe(3);
    expect(feel(late, 10_000)).toBe(6);
    expect(bands()).toEqual([2, 3, 4, 5, 6]);
    expect(overload.shortages).toEqual(["event loop"]);
  });

  test("once, be it for a minute, refuses nothing: a process that was stopped goes on", () => {
    const { feel } = watch();
    feel({ loopDelayMs: 60_000 }, SAMPLE_MS);
    expect(feel({}, 1000)).toBe(1);
  });
});

describe("memory", () => {
  test.each([
    ["heap", { heapShare: 0.951 }, ["heap"]],
    ["resident memory", { memoryShare: 0.951 }, ["memory"]],
    ["both", { heapShare: 0.96, memoryShare: 0.96 }, ["heap", "memory"]],
  ])("above 0.95 (%s) refuses band by band, and never the highest", (_, pressure, shortages) => {
    const { feel, overload, changes } = watch();
    expect(feel({ heapShare: 0.95, memoryShare: 0.95 }, 10_000)).toBe(1);
    expect(feel(pressure, SAMPLE_MS)).toBe(2);
    expect(feel(pressure, 60_000)).toBe(5);
    expect(overload.shortages).toEqual(shortages);
    expect(changes.at(-1)).toEqual({ lowestBand: 5, shortages });
  });

  test.each([{ heapShare: 0.981 }, { memoryShare: 0.981 }])("%j refuses all at once", (full) => {
    const { feel, bands } = watch();
    expect(feel({ heapShare: 0.98, memoryShare: 0.94 }, SAMPLE_MS)).toBe(2);
    expect(feel(full, SAMPLE_MS)).toBe(6);
    expect(bands()).toEqual([2, 6]);
  });

  test("that is no longer full lets the highest band in again, though it is still short", () => {
    const { feel } = watch();
    feel({ heapShare: 0.99 }, 5000);
    expect(feel({ heapShare: 0.975 }, 5000)).toBe(6);
    expect(feel({ heapShare: 0.965 }, SAMPLE_MS)).toBe(5);
    expect(feel({ heapShare: 0.965 }, 60_000)).toBe(5);
  });
});

describe("on the way back", () => {
  function shed() {
    const scene = watch();
    scene.feel({ heapShare: 0.96 }, 3000);
    expect(scene.overload.lowestBand).toBe(4);
    return scene;
  }

  test("one band a second is let in while all is calm", () => {
    const { feel, bands, overload } = shed();
    expect(feel({}, 1000)).toBe(3);
    expect(overload.shortages).toEqual(["heap"]);
    expect(feel({}, 2000)).toBe(1);
    expect(bands()).toEqual([2, 3, 4, 3, 2, 1]);
    expect(overload.shortages).toEqual([]);
    feel({}, 10_000);
    expect(bands()).toHaveLength(6);
  });

  test.each([{ heapShare: 0.92 }, { memoryShare: 0.92 }, { loopDelayMs: 150 }])(
    "%j is neither short nor calm: one band in ten seconds",
    (undecided) => {
      const { feel } = shed();
      expect(feel(undecided, 9000)).toBe(4);
      expect(feel(undecided, SAMPLE_MS)).toBe(3);
      expect(feel(undecided, 9750)).toBe(3);
      expect(feel(undecided, SAMPLE_MS)).toBe(2);
    },
  );
});

describe("those who are refused", () => {
  test("are told what is short, which bands pass, and when to come back", () => {
    const { feel, overload } = watch();
    feel({ heapShare: 0.96 }, 2000);
    expect(overload.refusal()).toMatchObject({
      code: "OVERLOADED",
      status: 503,
      retryAfterMs: 5000,
      message:
        "the router is short of heap, and refuses new work by priority: " +
        "those of 3 and above are taken now",
    });
    feel({ heapShare: 0.96 }, 5000);
    expect(overload.refusal().message).toMatch(/only requests of priority 5 are taken now$/);
    feel({ heapShare: 0.99, memoryShare: 0.99 }, SAMPLE_MS);
    expect(overload.refusal().message).toMatch(/short of heap and memory, .*none is taken now$/);
  });
});
