import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { LiveHeap, shareOf } from "../../../src/observability/live-heap.ts";

const MIB = 1024 * 1024;

test.each([
  // 96 MiB of the limit are for young objects, and four fifths of the rest can be filled.
  { used: 204.8, limit: 352, share: 1 },
  { used: 102.4, limit: 352, share: 0.5 },
  { used: 3276.8, limit: 4192, share: 1 },
  // A limit that is nearly all for young objects.
  { used: 45, limit: 60, share: 45 / 24 },
])("$used MiB of a limit of $limit MiB is a share of $share", ({ used, limit, share }) => {
  const heap = { used_heap_size: used * MIB, heap_size_limit: limit * MIB };
  expect(shareOf(heap)).toBeCloseTo(share, 10);
});

test("the share is that of the last full collection, and garbage since then is not in it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options?: { type: "minor" }) => void;
  const heap = new LiveHeap(systemClock);
  onTestFinished(() => heap.close());
  expect(heap.share).toBe(0);
  collect();
  await expect.poll(() => heap.share).toBeGreaterThan(0);
  const before = heap.share;
  collect({ type: "minor" });
  // Longer than it takes for the collection to be told of.
  await sleep(systemClock, 50);
  expect(heap.share).toBe(before);
  const kept = Array.from({ length: 200_000 }, (_, index) => ({ index, text: `number ${index}` }));
  collect();
  await expect.poll(() => heap.share).toBeGreaterThan(before);
  expect(kept).toHaveLength(200_000);
});
