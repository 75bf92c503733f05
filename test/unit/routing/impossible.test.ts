import { describe, expect, test } from "vitest";
import type { RouterError } from "../../../src/errors.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { impossibleError } from "../../../src/routing/nobody.ts";
import type { Filter, RoutingRequest } from "../../../src/routing/stages.ts";
import {
  modelsOf,
  questionOf,
  servedModel,
  serving,
  strategyNamed,
  type Moment,
} from "../../support/routing-builders.ts";

function errorOf(
  workers: readonly Worker[],
  request: Partial<RoutingRequest> = {},
  moment: Moment = {},
): RouterError | null {
  return impossibleError(questionOf(workers, moment, { request }));
}

const elsewhere = { models: modelsOf(servedModel("a")) };
const unasked = { modelsKnown: false, models: new Map(), state: "starting" } as const;

describe("a request is impossible", () => {
  test("where each worker lacks something for good, each something of its own", () => {
    const workers = [serving(0), serving(1, { types: ["training"] }), serving(2, elsewhere)];
    const error = errorOf(workers, { computeUnits: 2 });
    expect(error).toMatchObject({ code: "NO_GPU_FITS", retryAfterMs: null });
    expect(error?.message).toBe(
      "no worker can ever run this: worker-0: spans 1 GPU(s), 2 asked for; " +
        'worker-1: takes training only; add "inference" to its types to allow it',
    );
  });

  test("also where something else is in the way for now, which is not what it is told", () => {
    const down = serving(0, { state: "down", stateReason: "connection refused" });
    const error = errorOf([down], { computeUnits: 2 });
    expect(error?.message).toBe(
      "no worker can ever run this: worker-0: spans 1 GPU(s), 2 asked for",
    );
  });

  test("where the user may use no GPU, which shows only at the moment of the decision", () => {
    const error = errorOf([serving(0)], { gpuLimit: 0, atGpuLimit: true });
    expect(error?.message).toBe(
      "no worker can ever run this: worker-0: alice may use 0 GPUs (gpu_limit)",
    );
  });

  test("where nobody serves the model, or any", () => {
    expect(errorOf([serving(0, elsewhere)])).toMatchObject({ code: "MODEL_NOT_FOUND" });
    const error = errorOf([serving(0, { models: new Map() })]);
    expect(error?.message).toBe("no worker serves the model m; served: none");
  });
});

describe("a request is not impossible", () => {
  test("without workers: some may be added", () => {
    expect(errorOf([])).toBeNull();
  });

  test("where one worker may still say that it serves the model", () => {
    expect(errorOf([serving(0, unasked)])).toBeNull();
    expect(errorOf([serving(0, elsewhere), serving(1, unasked)])).toBeNull();
    const onTwo = serving(1, { ...unasked, gpuIds: ["a", "b"] });
    expect(errorOf([serving(0), onTwo], { computeUnits: 2 })).toBeNull();
  });

  test.each([
    ["is down", {}, { state: "down" as const }],
    ["is full", { own: { 1: 1 } }, { slots: 1 }],
    ["cools down", { cooldowns: { 1: { reason: "x", untilMs: 9, blocks: true } } }, {}],
  ])("where the only worker that fits %s", (_state, moment, changes) => {
    const fits = serving(1, { gpuIds: ["a", "b"], ...changes });
    expect(errorOf([serving(0), fits], { computeUnits: 2 }, moment)).toBeNull();
  });
});

/** Every request is asked about, and a fleet can have thousands of workers. */
test("reasons are worked out only where nobody may ever take the request", () => {
  const silent: Filter = {
    name: "silent",
    scope: "moment",
    passes: () => true,
    reject: () => {
      throw new Error("asked for a reason, though it passes");
    },
  };
  const never: Filter = {
    name: "never",
    scope: "snapshot",
    passes: ({ index }) => index === 0,
    reject: () => {
      throw new Error("asked for the reason of a worker that is not needed");
    },
  };
  const strategy = { ...strategyNamed("hybrid"), filters: [silent, never] };
  const question = questionOf([serving(0), serving(1)], {}, { strategy });
  expect(impossibleError(question)).toBeNull();
});
