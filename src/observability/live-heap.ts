import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

/** What V8 counts into its limit for young objects, by default: room in which nothing stays. */
const YOUNG_BYTES = 48 * 1024 * 1024;
/** Above it, V8 ends the process after four collections in a row that brought it little. */
const USABLE_SHARE = 0.8;

/**
 * How full the heap is with what lives, 0..1 and more. Looked at right after each full collection: in
 * between, garbage that nobody has looked for yet makes a sound process look full.
 */
export class LiveHeap {
  readonly #observer = new PerformanceObserver((list) => {
    const wasFull = list.getEntries().some(isFullCollection);
    if (wasFull) this.#share = shareOf(getHeapStatistics());
  });
  #share = 0;

  constructor() {
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  /** 0 before the first full collection. */
  get share(): number {
    return this.#share;
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
