import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../clock.ts";

/** What Node 26's V8 counts into its limit beside the old objects: room in which nothing stays. */
const YOUNG_BYTES = 96 * 1024 * 1024;
const BELIEVED_MS = 2000;
/** Of an old reading: short, and not full. */
const OLD_SHARE_MAX = 0.96;
/** Above it, V8 ends the process after four collections in a row that brought it little. */
const USABLE_SHARE = 0.8;

/**
 * How full the heap is with what lives, 0..1 and more. Looked at right after each full collection: in
 * between, garbage that nobody has looked for yet makes a sound process look full.
 */
export class LiveHeap {
  readonly #clock: Clock;
  readonly #observer = new PerformanceObserver((list) => {
    const wasFull = list.getEntries().some(isFullCollection);
    if (!wasFull) return;
    this.#share = shareOf(getHeapStatistics());
    this.#readAtMs = this.#clock.now();
  });
  #share = 0;
  #readAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  /**
   * 0 before the first full collection. An old reading never says that nothing more fits: where all
   * work is refused, nothing would bring the collection that tells otherwise.
   */
  get share(): number {
    const isOld = this.#clock.now() - this.#readAtMs > BELIEVED_MS;
    return isOld ? Math.min(this.#share, OLD_SHARE_MAX) : this.#share;
  }

  close(): void {
    this.#observer.disconnect();
  }
}

/** `detail` is missing in Node's types. */
function isFullCollection(entry: object): boolean {
  const { detail } = entry as { readonly detail?: { readonly kind: number } };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

export function shareOf(heap: { used_heap_size: number; heap_size_limit: number }): number {
  const { used_heap_size: used, heap_size_limit: limit } = heap;
  return used / (USABLE_SHARE * Math.max(limit - YOUNG_BYTES, limit / 2));
}
