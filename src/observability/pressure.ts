import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import type { Pressure } from "../admission/overload.ts";
import type { Clock, Timer } from "../clock.ts";
import { LiveHeap } from "./live-heap.ts";

/** Soon enough to act before the memory is full, and too seldom to be seen in a profile. */
const SAMPLE_MS = 250;
/**
 * The loop's delay is how late this timer comes. Node's own monitor forgets the delay that is under
 * way when it is reset, and so misses exactly a loop that is late all the time.
 */
const TICK_MS = 25;

/** Reports how hard the process is pressed, four times a second, until the timer is cancelled. */
export function watchPressure(clock: Clock, report: (pressure: Pressure) => void): Timer {
  const heap = new LiveHeap(clock);
  const memoryBytes = memoryLimitBytes();
  let tickedAtMs = clock.now();
  let sampledAtMs = tickedAtMs;
  // Of ten ticks, the 99th percentile is the largest.
  let loopDelayMs = 0;
  const timer = clock.every(TICK_MS, () => {
    const nowMs = clock.now();
    loopDelayMs = Math.max(loopDelayMs, nowMs - tickedAtMs - TICK_MS);
    tickedAtMs = nowMs;
    if (nowMs - sampledAtMs < SAMPLE_MS) return;
    const memoryShare = ownBytes() / memoryBytes;
    report({ loopDelayMs, heapShare: heap.share, memoryShare });
    sampledAtMs = nowMs;
    loopDelayMs = 0;
  });
  return {
    cancel() {
      timer.cancel();
      heap.close();
    },
  };
}

/** Of the container where it has a limit, else of the machine. */
function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

const PAGE_BYTES = 4096;

/**
 * Without the pages of files, Node's own program among them: the system takes them back when it needs
 * them, and in a small container they alone would look like a shortage.
 */
function ownBytes(): number {
  try {
    const [, resident = "", shared = ""] = readFileSync("/proc/self/statm", "utf8").split(" ");
    const pages = Number(resident) - Number(shared);
    return pages > 0 ? pages * PAGE_BYTES : process.memoryUsage.rss();
  } catch {
    return process.memoryUsage.rss();
  }
}
