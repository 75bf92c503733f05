import { Counter, Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { Exposition } from "../../../src/observability/exposition.ts";
import { createCounter, createHistogram } from "../../../src/observability/tallies.ts";

const HELP = 'as the library says it, C:\\new "quoted"\nand on a second line';
/** Ids of GPUs may have any printable ASCII in them; the last two nobody sends today. */
const ODD = ['say "GPU"', "C:\\new\\", '\\"', '{a="b"},c', "two\nlines", "Grüße"];

test("a counter is scraped as the library's own would be", async () => {
  const [ours, theirs] = [new Exposition(), new Registry()];
  const count = createCounter(ours, { name: "hits", help: HELP, labels: ["path", "status"] });
  const labelNames = ["path", "status"];
  const counter = new Counter({ name: "hits", help: HELP, labelNames, registers: [theirs] });
  for (const [path, status] of [
    ["/a", "200"],
    ["/b", "200"],
    ["/a", "503"],
    ["/a", "200"],
    ...ODD.map((odd) => [odd, odd] as const),
  ] as const) {
    count(2, path, status);
    counter.inc({ path, status }, 2);
  }
  expect(linesOf(await ours.text())).toEqual(linesOf(await theirs.metrics()));
  expect(linesOf(await ours.text())).toContain('hits{path="/a",status="200"} 4');
});

test("a counter of one label is scraped without the other", async () => {
  const exposition = new Exposition();
  const count = createCounter(exposition, { name: "tokens", help: HELP, labels: ["kind"] });
  count(3, "prompt");
  expect(await exposition.text()).toContain('tokens{kind="prompt"} 3\n');
});

test("a counter shows what is known of its labels from 0 on, and goes on from there", async () => {
  const exposition = new Exposition();
  const known = { first: () => ["a", "b"], second: ["x", "y"] };
  const spec = { name: "hits", help: HELP, labels: ["one", "two"] as const, known };
  const count = createCounter(exposition, spec);
  count(1, "b", "y");
  count(1, "c", "z");
  await exposition.text();
  count(1, "a", "x");
  expect((await exposition.text()).split("\n").filter((line) => line.startsWith("hits"))).toEqual(
    expect.arrayContaining([
      'hits{one="a",two="x"} 1',
      'hits{one="a",two="y"} 0',
      'hits{one="b",two="x"} 0',
      'hits{one="b",two="y"} 1',
      'hits{one="c",two="z"} 1',
    ]),
  );
});

test("a counter of what comes and goes forgets what is gone, and begins anew with its return", async () => {
  const exposition = new Exposition();
  let workers = ["a", "b"];
  const known = { first: () => workers, only: true };
  const count = createCounter(exposition, { name: "hits", help: HELP, labels: ["worker"], known });
  count(2, "a");
  count(2, "b");
  const series = async (): Promise<readonly string[]> =>
    (await exposition.text()).split("\n").filter((line) => line.startsWith("hits"));
  expect(await series()).toEqual(['hits{worker="a"} 2', 'hits{worker="b"} 2']);
  workers = ["b"];
  expect(await series()).toEqual(['hits{worker="b"} 2']);
  workers = ["b", "a"];
  expect(await series()).toEqual(['hits{worker="b"} 2', 'hits{worker="a"} 0']);
});

test("a histogram is scraped as the library's own would be", async () => {
  const [ours, theirs] = [new Exposition(), new Registry()];
  const buckets = [0.1, 1, 5];
  const observe = createHistogram(ours, { name: "took", help: HELP, label: "path", buckets });
  const labelNames = ["path"];
  const registers = [theirs];
  const histogram = new Histogram({ name: "took", help: HELP, labelNames, buckets, registers });
  for (const value of [0, 0.1, 0.1001, 0.5, 1, 5, 5.5, 1000]) {
    observe(value, "/a");
    histogram.observe({ path: "/a" }, value);
  }
  for (const odd of ODD) {
    observe(2, odd);
    histogram.observe({ path: odd }, 2);
  }
  expect(linesOf(await ours.text())).toEqual(linesOf(await theirs.metrics()));
});

test("a histogram without a label is scraped as the library's own would be, also when empty", async () => {
  const [ours, theirs] = [new Exposition(), new Registry()];
  const buckets = [0.1, 1];
  const observe = createHistogram(ours, { name: "late", help: HELP, label: null, buckets });
  const histogram = new Histogram({ name: "late", help: HELP, buckets, registers: [theirs] });
  expect(linesOf(await ours.text())).toEqual(linesOf(await theirs.metrics()));
  observe(0.5);
  histogram.observe(0.5);
  expect(linesOf(await ours.text())).toEqual(linesOf(await theirs.metrics()));
});

test("a histogram shows the label values that are known before anything was observed", async () => {
  const exposition = new Exposition();
  const spec = { name: "took", help: HELP, label: "band", buckets: [1], known: ["1", "2"] };
  const observe = createHistogram(exposition, spec);
  observe(3, "2");
  const text = await exposition.text();
  expect(text).toContain('took_count{band="1"} 0\n');
  expect(text).toContain('took_bucket{band="2",le="1"} 0\ntook_bucket{band="2",le="+Inf"} 1\n');
});

/** The order of labels and lines says nothing. */
function linesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/\{(.*)\}/, (_, all: string) => `{${all.split(",").toSorted().join(",")}}`),
    )
    .toSorted();
}
