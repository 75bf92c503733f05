import { Gauge, Registry } from "prom-client";
import { expect, test } from "vitest";
import { Exposition, registerGauge, registerTotal } from "../../../src/observability/exposition.ts";

const NAMED = { name: "level", help: "How full it is." };

test("a gauge is scraped as the library's own would be, whatever its label", async () => {
  const [ours, theirs] = [new Exposition(), new Registry()];
  const readings = [
    ["plain", 0.1],
    ['quoted "id"', 1e21],
    ["back\\slash\\", -3],
    ["two\nlines", 5e-7],
    ["all", Number.POSITIVE_INFINITY],
  ] as const;
  registerGauge(ours, { ...NAMED, label: "gpu_id" }, () => readings);
  const gauge = new Gauge({ ...NAMED, labelNames: ["gpu_id"], registers: [theirs] });
  for (const [gpu_id, value] of readings) gauge.set({ gpu_id }, value);
  expect(await ours.text()).toBe(await theirs.metrics());
});

test("a gauge without a label and a total have one series each", async () => {
  const exposition = new Exposition();
  registerGauge(exposition, { ...NAMED, label: null }, () => [["", Number.NaN]]);
  registerTotal(exposition, { name: "lines_total", help: "Lines." }, () => 7);
  expect(await exposition.text()).toBe(
    "# HELP level How full it is.\n# TYPE level gauge\nlevel NaN\n" +
      "# HELP lines_total Lines.\n# TYPE lines_total counter\nlines_total 7\n",
  );
});

test("a gauge is read anew at each scrape", async () => {
  const exposition = new Exposition();
  let gpus = ["a", "b"];
  registerGauge(exposition, { ...NAMED, label: "gpu_id" }, () => gpus.map((id) => [id, 1]));
  await exposition.text();
  gpus = ["c"];
  expect(await exposition.text()).toMatch(/gauge\nlevel\{gpu_id="c"\} 1\n$/);
});

test("no two metrics have one name", () => {
  const exposition = new Exposition();
  registerTotal(exposition, NAMED, () => 1);
  expect(() => registerTotal(exposition, NAMED, () => 1)).toThrow(
    "there is a metric level already",
  );
});

test("a large fleet is written in pieces, with turns of the loop between them", async () => {
  const exposition = new Exposition();
  const ids = Array.from({ length: 10_000 }, (_, index) => `GPU-${index}`);
  let turns = 0;
  let isOver = false;
  for (const name of ["a", "b", "c"]) {
    registerGauge(exposition, { ...NAMED, name, label: "gpu_id" }, () => ids.map((id) => [id, 1]));
  }
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const text = await exposition.text();
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(3);
  expect(text.split("\n")).toHaveLength(3 * (10_000 + 2) + 1);
});

test("a small fleet is written in one tick, so that its figures are of one moment", async () => {
  const exposition = new Exposition();
  let held = 1;
  registerGauge(exposition, { ...NAMED, name: "a", label: null }, () => [["", held]]);
  registerGauge(exposition, { ...NAMED, name: "b", label: null }, () => [["", held]]);
  const text = exposition.text();
  held = 2;
  expect(await text).toMatch(/a 1\n[^]*b 1\n/);
});
