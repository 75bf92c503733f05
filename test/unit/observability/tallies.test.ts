import { Counter, Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { createCounter, createHistogram } from "../../../src/observability/tallies.ts";

const HELP = "as the library says it";

test("a counter is scraped as the library's own would be", async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const count = createCounter(ours, { name: "hits", help: HELP, labels: ["path", "status"] });
  const labelNames = ["path", "status"];
  const counter = new Counter({ name: "hits", help: HELP, labelNames, registers: [theirs] });
  for (const [path, status] of [
    ["/a", "200"],
    ["/b", "200"],
    ["/a", "503"],
    ["/a", "200"],
  ] as const) {
    count(2, path, status);
    counter.inc({ path, status }, 2);
  }
  expect(linesOf(await ours.metrics())).toEqual(linesOf(await theirs.metrics()));
  expect(linesOf(await ours.metrics())).toContain('hits{path="/a",status="200"} 4');
});

test("a counter of one label is scraped without the other", async () => {
  const registry = new Registry();
  const count = createCounter(registry, { name: "tokens", help: HELP, labels: ["kind"] });
  count(3, "prompt");
  expect(await registry.metrics()).toContain('tokens{kind="prompt"} 3\n');
});

test("a histogram is scraped as the library's own would be", async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const buckets = [0.1, 1, 5];
  const observe = createHistogram(ours, { name: "took", help: HELP, label: "path", buckets });
  const labelNames = ["path"];
  const registers = [theirs];
  const histogram = new Histogram({ name: "took", help: HELP, labelNames, buckets, registers });
  for (const value of [0, 0.1, 0.1001, 0.5, 1, 5, 5.5, 1000]) {
    observe(value, "/a");
    histogram.observe({ path: "/a" }, value);
  }
  observe(2, "/b");
  histogram.observe({ path: "/b" }, 2);
  expect(linesOf(await ours.metrics())).toEqual(linesOf(await theirs.metrics()));
});

/** The order of labels and lines says nothing. */
function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) =>
      line.replace(/\{(.*)\}/, (_, all: string) => `{${all.split(",").toSorted().join(",")}}`),
    )
    .toSorted();
}
