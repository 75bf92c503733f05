import { describe, expect, test } from "vitest";
import type { Gpu } from "../../../../src/fleet/gpu.ts";
import type { SourceState } from "../../../../src/fleet/snapshot.ts";
import { computeCapability } from "../../../../src/routing/filters/compute-capability.ts";
import { computeUnits } from "../../../../src/routing/filters/compute-units.ts";
import { gpuStatus } from "../../../../src/routing/filters/gpu-status.ts";
import { servesModel } from "../../../../src/routing/filters/serves-model.ts";
import { servesPath } from "../../../../src/routing/filters/serves-path.ts";
import { servesType } from "../../../../src/routing/filters/serves-type.ts";
import { temperature } from "../../../../src/routing/filters/temperature.ts";
import { untried } from "../../../../src/routing/filters/untried.ts";
import { workerUp } from "../../../../src/routing/filters/worker-up.ts";
import { gpu } from "../../../support/fleet-builders.ts";
import { modelsOf, servedModel } from "../../../support/routing-builders.ts";
import { forEver, forNow, verdict, type Case } from "./verdict.ts";

const withGpu = (changes: Partial<Gpu>): Case => ({
  worker: { gpuIds: ["a", "b"], gpus: [gpu("a"), gpu("b", changes)] },
});

describe("serves_model", () => {
  test("lets pass who serves the model by its public name", () => {
    expect(verdict(servesModel)).toBeNull();
  });

  test("tells what is served instead, and stops after five", () => {
    const models = modelsOf(...["a", "b"].map((name) => servedModel(name)));
    expect(verdict(servesModel, { worker: { models } })).toEqual(
      forEver("does not serve m; it serves a, b"),
    );
    const many = modelsOf(...["a", "b", "c", "d", "e", "f", "g"].map((name) => servedModel(name)));
    expect(verdict(servesModel, { worker: { models: many } })?.reason).toBe(
      "does not serve m; it serves a, b, c, d, e and 2 more",
    );
    expect(verdict(servesModel, { worker: { models: new Map() } })?.reason).toBe(
      "does not serve m; it serves no model",
    );
  });

  test("rejects only for now while the worker has not said what it serves", () => {
    const worker = { modelsKnown: false, models: new Map() };
    expect(verdict(servesModel, { worker })).toEqual(
      forNow("starting, its models are not known yet: not asked yet"),
    );
    const stateReason = "connection refused";
    expect(verdict(servesModel, { worker: { ...worker, stateReason } })?.reason).toBe(
      "starting, its models are not known yet: connection refused",
    );
  });
});

describe("serves_type", () => {
  test("sends training only where it is declared", () => {
    expect(verdict(servesType)).toBeNull();
    expect(verdict(servesType, { request: { type: "training" } })).toEqual(
      forEver('takes inference only; add "training" to its types to allow it'),
    );
    const types = ["inference", "training"] as const;
    expect(verdict(servesType, { worker: { types }, request: { type: "training" } })).toBeNull();
  });

  test("keeps inference away from who only trains", () => {
    expect(verdict(servesType, { worker: { types: ["training"] } })?.permanent).toBe(true);
  });
});

test("serves_path asks nothing of the engine for a placement", () => {
  const worker = { paths: new Set<never>() };
  expect(verdict(servesPath, { worker, request: { path: null } })).toBeNull();
});

test("serves_path rejects for ever where the engine lacks the path", () => {
  expect(verdict(servesPath)).toBeNull();
  expect(verdict(servesPath, { request: { path: "/v1/rerank" } })).toEqual(
    forEver("its engine vllm does not serve /v1/rerank"),
  );
});

test("worker_up rejects for now what starts or is down, and says why", () => {
  expect(verdict(workerUp)).toBeNull();
  expect(verdict(workerUp, { worker: { state: "starting" } })).toEqual(
    forNow("starting: it has not answered yet"),
  );
  expect(verdict(workerUp, { worker: { state: "down", stateReason: "refused" } })).toEqual(
    forNow("down: refused"),
  );
});

describe("compute_units", () => {
  const computing = (units: number, gpuIds: readonly string[]) =>
    verdict(computeUnits, { worker: { gpuIds }, request: { computeUnits: units } });

  test("asks for at least so many GPUs, known to telemetry or not", () => {
    expect(verdict(computeUnits)).toBeNull();
    expect(computing(2, ["a", "b"])).toBeNull();
    expect(computing(3, ["a", "b"])).toEqual(forEver("spans 2 GPU(s), 3 asked for"));
  });

  test("counts a worker without known GPUs as one", () => {
    expect(computing(1, [])).toBeNull();
    expect(computing(2, [])).toEqual(forEver("spans 1 GPU(s), 2 asked for"));
  });

  test("refuses for now only where its GPUs may yet become known", () => {
    const silent = {
      name: "one",
      host: "h",
      lastSuccessAtMs: null,
      failure: null,
      isOutdated: false,
    };
    const answers = { ...silent, name: "two", lastSuccessAtMs: 0 };
    const computing2 = (gpuIds: readonly string[], ...sources: readonly SourceState[]) =>
      verdict(computeUnits, {
        worker: { gpuIds },
        request: { computeUnits: 2 },
        moment: { sources },
      });
    expect(computing2([], answers, silent)).toEqual(forNow("spans 1 GPU(s), 2 asked for"));
    expect(computing2([], answers)?.permanent).toBe(true);
    expect(computing2(["a"], silent)?.permanent).toBe(true);
  });
});

describe("compute_capability", () => {
  const on = (capabilities: readonly (number | null)[], least: number | null) =>
    verdict(computeCapability, {
      worker: {
        models: modelsOf(servedModel("m", { minComputeCapability: least })),
        gpus: capabilities.map((computes, at) => gpu(`${at}`, { computeCapability: computes })),
      },
    });

  test("goes by the weakest of the worker's GPUs", () => {
    expect(on([9, 8], 8)).toBeNull();
    expect(on([9, 7.5, 8.6], 8)).toEqual(forEver("has compute capability 7.5, m needs 8"));
  });

  test("lets pass where the need or the capability is not known", () => {
    expect(on([5], null)).toBeNull();
    expect(on([null, 9], 8)).toBeNull();
    expect(on([], 8)).toBeNull();
  });
});

describe("gpu_status", () => {
  test("takes busy for information, not for a refusal", () => {
    expect(verdict(gpuStatus)).toBeNull();
    expect(verdict(gpuStatus, withGpu({ status: "busy" }))).toBeNull();
    const warned = { status: "warning", errors: ["power brake"] } as const;
    expect(verdict(gpuStatus, withGpu({ health: warned }))).toBeNull();
  });

  test.each(["error", "maintenance"] as const)("rejects for now a GPU in %s", (status) => {
    expect(verdict(gpuStatus, withGpu({ status }))).toEqual(forNow(`GPU b reports ${status}`));
  });

  test("rejects for now a GPU whose health check is critical, with its errors", () => {
    const health = { status: "critical", errors: ["XID 79", "ECC"] } as const;
    expect(verdict(gpuStatus, withGpu({ health }))).toEqual(
      forNow("GPU b reports critical: XID 79; ECC"),
    );
    expect(verdict(gpuStatus, withGpu({ health, status: "error" }))?.reason).toBe(
      "GPU b reports error: XID 79; ECC",
    );
  });

  test("rejects for now a GPU that its monitor reports no longer", () => {
    const health = { status: "critical", errors: ["no longer reported by its monitor"] } as const;
    const missing = withGpu({ status: "error", health, isMissing: true });
    expect(verdict(gpuStatus, missing)).toEqual(
      forNow("GPU b is no longer reported by its monitor"),
    );
  });

  test("names every GPU of the worker that is broken", () => {
    const gpus = [gpu("a", { status: "maintenance" }), gpu("b"), gpu("c", { status: "error" })];
    expect(verdict(gpuStatus, { worker: { gpus } })?.reason).toBe(
      "GPU a reports maintenance, GPU c reports error",
    );
  });
});

test("temperature rejects for now what is too hot, naming the figure, the limit and its key", () => {
  expect(verdict(temperature, withGpu({ temperatureC: 99 }))).toBeNull();
  expect(verdict(temperature, withGpu({ temperatureC: 83, tooHot: true }))).toEqual(
    forNow("GPU b is too hot: 83 °C, limit 85 °C (gpu_monitoring.max_temperature)"),
  );
  expect(verdict(temperature, withGpu({ temperatureC: null, tooHot: true }))?.reason).toContain(
    "? °C",
  );
});

test("temperature names every GPU of the worker that is too hot", () => {
  const hot = [gpu("a", { temperatureC: 91, tooHot: true }), gpu("b", { temperatureC: 70 })];
  const gpus = [...hot, gpu("c", { temperatureC: 86.5, tooHot: true })];
  expect(verdict(temperature, { worker: { gpus } })?.reason).toBe(
    "GPU a is too hot: 91 °C, GPU c is too hot: 86.5 °C, " +
      "limit 85 °C (gpu_monitoring.max_temperature)",
  );
});

test("untried rejects for now who had its try", () => {
  expect(verdict(untried, { request: { tried: [1, 2] } })).toBeNull();
  expect(verdict(untried, { request: { tried: [2, 0] } })).toEqual(
    forNow("was tried by an earlier attempt of this request"),
  );
});
