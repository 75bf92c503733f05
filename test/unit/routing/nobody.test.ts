import { describe, expect, test } from "vitest";
import type { RouterError } from "../../../src/errors.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { nobodyError } from "../../../src/routing/nobody.ts";
import type { RoutingRequest } from "../../../src/routing/stages.ts";
import { gpu } from "../../support/fleet-builders.ts";
import {
  modelsOf,
  questionOf,
  servedModel,
  serving,
  type Moment,
} from "../../support/routing-builders.ts";

function errorOf(
  workers: readonly Worker[],
  moment: Moment = {},
  request: Partial<RoutingRequest> = {},
): RouterError {
  return nobodyError(questionOf(workers, moment, { request }));
}

const elsewhere = { models: modelsOf(servedModel("a"), servedModel("b")) };
const unasked = { modelsKnown: false, models: new Map(), state: "starting" } as const;
const full = { slots: 1 } as const;
const cooling = (untilMs: number) => ({ reason: "5 in a row failed", untilMs, blocks: true });

describe("a model that nobody serves", () => {
  test("is not found once every worker has said what it serves", () => {
    const error = errorOf([serving(0, elsewhere), serving(1, { ...elsewhere, state: "down" })]);
    expect(error).toMatchObject({ code: "MODEL_NOT_FOUND", param: "model", retryAfterMs: null });
    expect(error.message).toBe("no worker serves the model m; served: a, b");
  });

  test("names ten models at most", () => {
    const names = Array.from({ length: 12 }, (_, at) => `model-${at + 10}`);
    const models = modelsOf(...names.map((name) => servedModel(name)));
    expect(errorOf([serving(0, { models })]).message).toMatch(/model-10, .*model-19 and 2 more$/);
  });

  test.each([
    [9, /model-18$/],
    [10, /model-19$/],
    [11, /model-19 and 1 more$/],
  ])("names all of %i, or says how many are left out", (count, ends) => {
    const names = Array.from({ length: count }, (_, at) => `model-${at + 10}`);
    const models = modelsOf(...names.map((name) => servedModel(name)));
    expect(errorOf([serving(0, { models })]).message).toMatch(ends);
  });

  test("may still turn up on a worker that has not said what it serves", () => {
    const error = errorOf([serving(0, elsewhere), serving(1, unasked)]);
    expect(error.code).toBe("NO_GPU_AVAILABLE");
    expect(error.message).toBe(
      "no worker can take m now: worker-1: starting, its models are not known yet: not asked yet",
    );
  });
});

describe("a request that no worker could ever run", () => {
  test("does not fit, and is told what each one that serves the model lacks", () => {
    const error = errorOf([serving(0), serving(1, elsewhere)], {}, { computeUnits: 2 });
    expect(error).toMatchObject({ code: "NO_GPU_FITS", retryAfterMs: null });
    expect(error.message).toBe(
      "no worker can ever run this: worker-0: spans 1 GPU(s), 2 asked for",
    );
  });

  test("fits if one is only busy or away now", () => {
    const two = { gpuIds: ["a", "b"] };
    const workers = [serving(0), serving(1, { ...two, ...full })];
    expect(errorOf(workers, { own: { 1: 1 } }, { computeUnits: 2 }).code).toBe("QUEUE_FULL");
    const away = serving(1, { ...two, state: "down" });
    expect(errorOf([serving(0), away], {}, { computeUnits: 2 }).code).toBe("NO_GPU_AVAILABLE");
  });
});

describe("full slots", () => {
  test("are told as such, beside what keeps the other workers away", () => {
    const workers = [serving(0, full), serving(1, { state: "down", stateReason: "refused" })];
    const error = errorOf(workers, { own: { 0: 1 } });
    expect(error).toMatchObject({ code: "QUEUE_FULL", retryAfterMs: 1000 });
    expect(error.message).toBe(
      "every slot for m is taken: worker-0: all slots are taken (1 of 1); worker-1: down: refused",
    );
  });

  test("count before what has become free in this moment: there was a queue, and it was fair", () => {
    const workers = [serving(0), serving(1, full)];
    expect(errorOf(workers, { own: { 1: 1 } }).code).toBe("QUEUE_FULL");
  });

  test("are told where the user's gpu_limit alone is in the way, since it ends as slots do", () => {
    const error = errorOf([serving(0)], { held: [1, 2] }, { atGpuLimit: true });
    expect(error).toMatchObject({ code: "QUEUE_FULL", retryAfterMs: 1000 });
    expect(error.message).toContain("alice holds 2 of 2 (gpu_limit): ");
  });
});

describe("nobody available now", () => {
  test("without workers, says where to list them", () => {
    const error = errorOf([]);
    expect(error).toMatchObject({ code: "NO_GPU_AVAILABLE", retryAfterMs: 5000 });
    expect(error.message).toContain("workers:");
  });

  test("names each worker with its reason", () => {
    const hot = gpu("GPU-9", { temperatureC: 91, tooHot: true });
    const workers = [
      serving(0, { state: "down", stateReason: "connection refused" }),
      serving(1, { state: "starting" }),
      serving(2),
      serving(3, { gpuIds: ["GPU-9"], gpus: [hot] }),
    ];
    const error = errorOf(workers, { cooldowns: { 2: cooling(90_000) } });
    expect(error.code).toBe("NO_GPU_AVAILABLE");
    expect(error.message).toBe(
      "no worker can take m now: worker-0: down: connection refused; " +
        "worker-1: starting: it has not answered yet; " +
        "worker-2: cooling down for 90 s more: 5 in a row failed; " +
        "worker-3: GPU GPU-9 is too hot: 91 °C, limit 85 °C (gpu_monitoring.max_temperature)",
    );
  });

  const hotAt = (index: number, ...temperatures: readonly number[]) => {
    const gpus = temperatures.map((temperatureC, at) =>
      gpu(`GPU-${index}${at}`, { temperatureC, tooHot: true }),
    );
    return serving(index, { gpuIds: gpus.map(({ id }) => id), gpus });
  };

  test("for heat alone lists each temperature, and the key to change once", () => {
    expect(errorOf([hotAt(0, 91, 88), hotAt(1, 86)])).toMatchObject({
      code: "NO_GPU_AVAILABLE",
      message:
        "every GPU for m is too hot: worker-0: GPU GPU-00 91 °C, GPU GPU-01 88 °C; " +
        "worker-1: GPU GPU-10 86 °C; limit 85 °C (gpu_monitoring.max_temperature)",
    });
  });

  test("for heat alone names every worker, up to a hundred", () => {
    const workers = Array.from({ length: 102 }, (_, index) => hotAt(index, 90));
    const { message } = errorOf(workers);
    expect(message.match(/GPU-\d+ 90 °C/g)).toHaveLength(100);
    expect(message).toMatch(/\(gpu_monitoring\.max_temperature\); and 2 more workers$/);
  });

  test("for heat alone says nothing of more where a hundred are all", () => {
    const workers = Array.from({ length: 100 }, (_, index) => hotAt(index, 90));
    expect(errorOf(workers).message).toMatch(/\(gpu_monitoring\.max_temperature\)$/);
  });

  test("for broken GPUs alone names each GPU with its errors", () => {
    const health = { status: "critical", errors: ["XID 79"] } as const;
    const broken = [
      serving(0, { gpus: [gpu("a", { status: "error", health })] }),
      serving(1, { gpus: [gpu("b", { status: "error", health, isMissing: true })] }),
    ];
    expect(errorOf(broken).message).toBe(
      "no worker can take m now: worker-0: GPU a reports error: XID 79; " +
        "worker-1: GPU b is no longer reported by its monitor",
    );
  });

  test("names five workers at most", () => {
    const workers = Array.from({ length: 7 }, (_, at) => serving(at, { state: "down" }));
    expect(errorOf(workers).message).toMatch(/worker-4: down: [^;]*; and 2 more$/);
  });
});

describe("Retry-After", () => {
  const waitOf = (cooldowns: Moment["cooldowns"], workers = [serving(0), serving(1)]) =>
    errorOf(workers, { nowMs: 1000, cooldowns: cooldowns ?? {} }).retryAfterMs;

  test("is when the first cooldown ends, if all that could help are cooling", () => {
    expect(waitOf({ 0: cooling(301_000), 1: cooling(61_000) })).toBe(60_000);
  });

  test("does not mind workers that could never help", () => {
    const workers = [serving(0), serving(1, elsewhere)];
    expect(waitOf({ 0: cooling(301_000) }, workers)).toBe(300_000);
    expect(waitOf({ 0: cooling(301_000), 1: cooling(2000) }, workers)).toBe(300_000);
  });

  test("is 5 s where another may be back before the cooldown ends", () => {
    const workers = [serving(0), serving(1, { state: "down" })];
    expect(waitOf({ 0: cooling(301_000) }, workers)).toBe(5000);
    expect(waitOf({ 0: cooling(3000) }, workers)).toBe(2000);
  });

  test("is 1 s where the cooldown has ended between the decision and the error", () => {
    const question = questionOf([serving(0)], { nowMs: 9000, cooldowns: { 0: cooling(9001) } });
    const { view } = question;
    const ended = { ...view, cooldowns: { ...view.cooldowns, describe: () => null } };
    expect(nobodyError({ ...question, view: ended }).retryAfterMs).toBe(1000);
  });

  test("is 1 s while a probe is under way", () => {
    expect(waitOf({ 0: cooling(301_000), 1: cooling(500) })).toBe(1000);
  });
});

test("a worker that became free since the decision is worth another try, and is no lost model", () => {
  const error = errorOf([serving(0), serving(1, elsewhere)]);
  expect(error).toMatchObject({ code: "NO_GPU_AVAILABLE", retryAfterMs: 1000 });
  expect(error.message).toBe("a worker for m has become free just now: try again");
});
