import { expect, test } from "vitest";
import { ERRORS, RouterError } from "../../../src/errors.ts";
import { createMetrics } from "../../../src/observability/metrics.ts";
import type { Metrics } from "../../../src/observability/metrics.ts";
import { readExposition } from "../../support/exposition.ts";
import { gpu } from "../../support/fleet-builders.ts";
import { metricsView } from "../../support/metrics-view.ts";
import { fleetOf, modelsOf, servedModel, serving } from "../../support/routing-builders.ts";

/** The series of one metric, by what stands between the braces. */
async function seriesOf(metrics: Metrics, name: string): Promise<Readonly<Record<string, number>>> {
  const family = readExposition(await metrics.text()).get(name);
  const inside = (series: string): string => /\{(.*)\}/.exec(series)?.[1] ?? "";
  return Object.fromEntries([...family!.series].map(([key, value]) => [inside(key), value]));
}

test("every error code is there from the start, at 0", async () => {
  const metrics = createMetrics(metricsView());
  const codes = Object.keys(ERRORS).map((code) => [`code="${code}"`, 0]);
  expect(await seriesOf(metrics, "router_errors_total")).toEqual(Object.fromEntries(codes));
});

test("a quota that is used up counts by its limit, and no other error does", async () => {
  const metrics = createMetrics(metricsView());
  metrics.errorTold(new RouterError("QUOTA_EXCEEDED", "used up", { param: "token_limit" }));
  metrics.errorTold(new RouterError("INVALID_REQUEST", "no number", { param: "token_limit" }));
  expect(await seriesOf(metrics, "router_quota_refusals_total")).toEqual({
    'limit="request_limit"': 0,
    'limit="token_limit"': 1,
  });
});

test("a worker's counters begin at 0 and go with it", async () => {
  let fleet = fleetOf([serving(0), serving(1)]);
  const metrics = createMetrics(metricsView({ snapshot: () => fleet }));
  metrics.attemptEnded("worker-1", "failure");
  metrics.cooledDown("worker-1");
  expect(await seriesOf(metrics, "router_cooldowns_total")).toEqual({
    'worker_id="worker-0"': 0,
    'worker_id="worker-1"': 1,
  });
  expect(await seriesOf(metrics, "router_attempts_total")).toMatchObject({
    'worker_id="worker-0",class="success"': 0,
    'worker_id="worker-1",class="failure"': 1,
  });
  fleet = fleetOf([serving(0)]);
  expect(await seriesOf(metrics, "router_cooldowns_total")).toEqual({ 'worker_id="worker-0"': 0 });
  const left = Object.keys(await seriesOf(metrics, "router_attempts_total"));
  expect(left).toHaveLength(5);
  expect(left.join()).not.toContain("worker-1");
});

test("why a GPU gets nothing is told by one metric each", async () => {
  const gpus = [
    gpu("well"),
    gpu("hot", { tooHot: true }),
    gpu("gone", { isMissing: true, status: "error" }),
    gpu("broken", { status: "error" }),
    gpu("critical", { health: { status: "critical", errors: ["XID 79"] } }),
    gpu("served", { status: "maintenance" }),
  ];
  const fleet = fleetOf([serving(0, { gpus })]);
  const metrics = createMetrics(metricsView({ snapshot: () => fleet }));
  const told = async (name: string): Promise<readonly string[]> =>
    Object.entries(await seriesOf(metrics, name)).flatMap(([labels, value]) =>
      value === 1 ? [labels] : [],
    );
  expect(await told("router_gpu_too_hot")).toEqual(['gpu_id="hot"']);
  expect(await told("router_gpu_missing")).toEqual(['gpu_id="gone"']);
  expect(await told("router_gpu_faulty")).toEqual(['gpu_id="broken"', 'gpu_id="critical"']);
  expect(await told("router_gpu_in_maintenance")).toEqual(['gpu_id="served"']);
});

test("a reading that is not known has no series, and is not 0", async () => {
  const fleet = fleetOf([serving(0, { gpus: [gpu("a", { temperatureC: null })] })]);
  const metrics = createMetrics(metricsView({ snapshot: () => fleet }));
  expect(await seriesOf(metrics, "router_gpu_temperature_celsius")).toEqual({});
  expect(await seriesOf(metrics, "router_gpu_power_watts")).toEqual({ 'gpu_id="a"': 120 });
});

test("what a worker reported has its age, and what it never reported has no series", async () => {
  const load = { active: 7, ownAtPoll: 2, receivedAtMs: 1000 };
  const fleet = fleetOf([serving(0, { load }), serving(1)]);
  const metrics = createMetrics(metricsView({ snapshot: () => fleet, nowMs: () => 3500 }));
  expect(await seriesOf(metrics, "router_worker_reported_requests")).toEqual({
    'worker_id="worker-0"': 7,
  });
  expect(await seriesOf(metrics, "router_worker_report_age_seconds")).toEqual({
    'worker_id="worker-0"': 2.5,
  });
});

test("workers count by state, also where there are none", async () => {
  const states = { 'state="up"': 0, 'state="starting"': 0, 'state="down"': 0 };
  expect(await seriesOf(createMetrics(metricsView()), "router_workers")).toEqual(states);
  const fleet = fleetOf([serving(0), serving(1, { state: "down" }), serving(2)]);
  const metrics = createMetrics(metricsView({ snapshot: () => fleet }));
  expect(await seriesOf(metrics, "router_workers")).toEqual({
    ...states,
    'state="up"': 2,
    'state="down"': 1,
  });
});

test("a source is up only after a good poll, and has no age before its first", async () => {
  const base = { host: "h", failure: null, isOutdated: false };
  const sources = [
    { ...base, name: "well", lastSuccessAtMs: 0 },
    { ...base, name: "new", lastSuccessAtMs: null },
    { ...base, name: "failing", lastSuccessAtMs: 1000, failure: "refused" },
  ];
  const fleet = fleetOf([], { sources });
  const metrics = createMetrics(metricsView({ snapshot: () => fleet, nowMs: () => 4000 }));
  expect(await seriesOf(metrics, "router_source_up")).toEqual({
    'source="well"': 1,
    'source="new"': 0,
    'source="failing"': 0,
  });
  expect(await seriesOf(metrics, "router_source_age_seconds")).toEqual({
    'source="well"': 4,
    'source="failing"': 3,
  });
});

test("a refused config is told until one is taken again", async () => {
  const metrics = createMetrics(metricsView());
  const told = async (): Promise<number | undefined> =>
    (await seriesOf(metrics, "router_config_refused"))[""];
  expect(await told()).toBe(0);
  metrics.configRead("refused");
  expect(await told()).toBe(1);
  metrics.configRead("unchanged");
  expect(await told()).toBe(0);
});

test("how hard the process is pressed: every delay counts, of memory the latest", async () => {
  const metrics = createMetrics(metricsView());
  metrics.pressed({ loopDelayMs: 3, heapShare: 0.5, memoryShare: 0.9 });
  metrics.pressed({ loopDelayMs: 300, heapShare: 0.25, memoryShare: 0.125 });
  const delays = await seriesOf(metrics, "router_event_loop_delay_seconds");
  expect(delays).toMatchObject({ 'le="0.005"': 1, 'le="0.2"': 1, 'le="0.5"': 2, 'le="+Inf"': 2 });
  expect(await seriesOf(metrics, "router_memory_used_ratio")).toEqual({
    'memory="heap"': 0.25,
    'memory="process"': 0.125,
  });
});

test("a model is out while none of its workers in service is up and not cooling", async () => {
  const cordon = { id: "x", reason: null, sinceWallMs: 0, by: "ops", workerIds: [] };
  const of = (model: string) => ({ models: modelsOf(servedModel(model)) });
  const fleet = fleetOf([
    serving(0, { ...of("served"), state: "down" }),
    serving(1, of("served")),
    serving(2, { ...of("down"), state: "down" }),
    serving(3, { ...of("left"), state: "starting" }),
    serving(4, { ...of("left"), cordon }),
    serving(5, of("cooling")),
    serving(6, { ...of("cordoned"), cordon, state: "down" }),
  ]);
  const view = { snapshot: () => fleet, isCooling: (index: number) => index === 5 };
  const metrics = createMetrics(metricsView(view));
  expect(await seriesOf(metrics, "router_models_out")).toEqual({ "": 3 });
  expect(await seriesOf(metrics, "router_models_cooling")).toEqual({ "": 1 });
});

test("the first byte counts without the waits for a slot, which are rounded and may exceed it", async () => {
  const metrics = createMetrics(metricsView());
  const report = {
    ...{ requestId: "r", user: "u", path: "/v1/chat/completions", model: "m", band: 3 },
    ...{ stream: true, status: 200, errorCode: null, workerId: "worker-0", gpuId: null },
    ...{ attempts: 1, totalMs: 60_000, promptTokens: null, completionTokens: null },
  };
  const sum = async (): Promise<number | undefined> =>
    readExposition(await metrics.text())
      .get("router_first_byte_seconds")!
      .series.get('router_first_byte_seconds_sum{path="/v1/chat/completions"}');
  metrics.requestEnded({ ...report, queueMs: 20_000, firstByteMs: 20_500 });
  expect(await sum()).toBe(0.5);
  metrics.requestEnded({ ...report, queueMs: 3, firstByteMs: 2.6 });
  expect(await sum()).toBe(0.5);
});
