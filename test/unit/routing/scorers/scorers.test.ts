import { describe, expect, test } from "vitest";
import type { Gpu } from "../../../../src/fleet/gpu.ts";
import { health } from "../../../../src/routing/scorers/health.ts";
import { leastRequests } from "../../../../src/routing/scorers/least-requests.ts";
import { memoryFit } from "../../../../src/routing/scorers/memory-fit.ts";
import { performance } from "../../../../src/routing/scorers/performance.ts";
import { priority } from "../../../../src/routing/scorers/priority.ts";
import { usage } from "../../../../src/routing/scorers/usage.ts";
import type { Band, Candidate, Scorer } from "../../../../src/routing/stages.ts";
import { gpu } from "../../../support/fleet-builders.ts";
import {
  candidate,
  modelsOf,
  poolOf,
  routingRequest,
  servedModel,
  serving,
} from "../../../support/routing-builders.ts";

const GIB = 2 ** 30;

/** Scores of all candidates of one pool. */
function scores(scorer: Scorer, figures: readonly Partial<Candidate>[], request = {}): number[] {
  const candidates = figures.map((changes, index) => candidate(serving(index), changes));
  const pool = poolOf(candidates, { request: routingRequest(request) });
  return candidates.map((one) => scorer.score(one, pool));
}

function scoreOn(scorer: Scorer, gpus: readonly Gpu[], changes = {}): number {
  const one = candidate(serving(0, { gpus, gpuIds: gpus.map(({ id }) => id), ...changes }));
  return scorer.score(one, poolOf([one]));
}

test("usage is the lowest cost of the candidates ÷ this one's", () => {
  expect(scores(usage, [{ cost: 2 }, { cost: 1 }, { cost: 4 }])).toEqual([0.5, 1, 0.25]);
});

test("performance is s ÷ (s + 1): half for the median, more for the faster", () => {
  expect(scores(performance, [{ speed: 1 }, { speed: 3 }, { speed: 0.25 }])).toEqual([
    0.5, 0.75, 0.2,
  ]);
});

test("least_requests is 1 ÷ (1 + n), whatever the speed", () => {
  expect(scores(leastRequests, [{ n: 0, speed: 0.2 }, { n: 1, speed: 5 }, { n: 3 }])).toEqual([
    1, 0.5, 0.25,
  ]);
});

describe("priority", () => {
  const speeds = [{ speed: 4 }, { speed: 2 }, { speed: 1 }];

  test.each<[Band, number[]]>([
    [5, [1, 0.5, 0.25]],
    [3, [0.5, 1, 0.75]],
    [1, [0, 0.5, 0.75]],
  ])("of band %i sets the workers apart by speed", (band, expected) => {
    expect(scores(priority, speeds, { band })).toEqual(expected);
  });
});

describe("health", () => {
  test("is full for a worker without known GPUs, and where nothing is known of them", () => {
    expect(scoreOn(health, [])).toBe(1);
    const nothing = { temperatureC: null, powerUsageW: null, errorRate: null };
    expect(scoreOn(health, [gpu("a", nothing)])).toBe(1);
  });

  test("falls over the last 30 °C below the limit", () => {
    expect(scoreOn(health, [gpu("a", { temperatureC: 55 })])).toBe(1);
    expect(scoreOn(health, [gpu("a", { temperatureC: 70 })])).toBe(0.5);
    expect(scoreOn(health, [gpu("a", { temperatureC: 85 })])).toBe(0);
  });

  test("falls over the last fifth of the power limit", () => {
    const drawing = (powerUsageW: number | null, powerLimitW: number | null = 100) =>
      scoreOn(health, [gpu("a", { powerUsageW, powerLimitW })]);
    expect(drawing(80)).toBeCloseTo(1);
    expect(drawing(90)).toBeCloseTo(0.5);
    expect(drawing(100)).toBeCloseTo(0);
    expect(drawing(90, null)).toBe(1);
    expect(drawing(90, 0)).toBe(1);
  });

  test("falls with the error rate, and to a half with a warning", () => {
    expect(scoreOn(health, [gpu("a", { errorRate: 0.25 })])).toBe(0.75);
    const warned = { status: "warning", errors: [] } as const;
    expect(scoreOn(health, [gpu("a", { health: warned })])).toBe(0.5);
  });

  test("is the worst figure of the worst GPU", () => {
    const warm = gpu("a", { temperatureC: 70, errorRate: 0.1 });
    const failing = gpu("b", { temperatureC: 40, errorRate: 0.9 });
    expect(scoreOn(health, [gpu("c"), warm])).toBe(0.5);
    expect(scoreOn(health, [warm, failing, gpu("c")])).toBeCloseTo(0.1);
  });
});

describe("memory_fit", () => {
  const room = (freeGib: number | null, totalGib: number | null): Gpu =>
    gpu(`${freeGib} of ${totalGib}`, {
      memoryFreeBytes: freeGib === null ? null : freeGib * GIB,
      memoryTotalBytes: totalGib === null ? null : totalGib * GIB,
    });
  const needing = { models: modelsOf(servedModel("m", { memoryBytes: 20 * GIB })) };

  test("is the better the less would be left over", () => {
    expect(scoreOn(memoryFit, [room(20, 80)], needing)).toBe(1);
    expect(scoreOn(memoryFit, [room(60, 80)], needing)).toBe(0.5);
    expect(scoreOn(memoryFit, [room(40, 40), room(40, 40)], needing)).toBe(0.25);
  });

  test("goes by the request's own need before the model's", () => {
    const one = candidate(serving(0, { gpus: [room(60, 80)], ...needing }));
    const request = routingRequest({ memoryBytes: 60 * GIB });
    expect(memoryFit.score(one, poolOf([one], { request }))).toBe(1);
  });

  test("does not rise above full marks where less is free than needed", () => {
    expect(scoreOn(memoryFit, [room(1, 80)], needing)).toBe(1);
  });

  test("is a half where memory is not known as a whole", () => {
    expect(scoreOn(memoryFit, [])).toBe(0.5);
    expect(scoreOn(memoryFit, [room(null, 80)])).toBe(0.5);
    expect(scoreOn(memoryFit, [room(1, 80), room(1, null)])).toBe(0.5);
    expect(scoreOn(memoryFit, [room(1, 80)], { gpuIds: ["1 of 80", "unseen"] })).toBe(0.5);
  });
});
