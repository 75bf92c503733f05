import { Heap, type Heaped } from "../admission/heap.ts";
import type { Clock, Timer } from "../clock.ts";

/** One line of virtual time, on which the router and the world around it set their timers. */
export class Timeline {
  /** The router's; what is left of it at the end is a leak. */
  readonly router: VirtualClock;
  /** Of workers, clients and the network. */
  readonly world: VirtualClock;
  readonly #pending = new Heap<VirtualTimer>(firesBefore);
  #order = 0;
  nowMs: number;

  /** `startMs`: best a fraction, as monotonic clocks have. */
  constructor(startMs: number) {
    this.nowMs = startMs;
    this.router = new VirtualClock(this);
    this.world = new VirtualClock(this);
  }

  add(timer: VirtualTimer): void {
    timer.order = this.#order++;
    this.#pending.add(timer);
  }

  remove(timer: VirtualTimer): void {
    this.#pending.remove(timer);
  }

  /**
   * Fires one timer after the other, in order of their time and then of their making, each once all
   * promises have settled. Ends when `isOver` says so, or there is no timer before `untilMs`.
   */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    await settled();
    for (let next = this.#pending.first; next && !isOver(); next = this.#pending.first) {
      if (next.atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fire();
      await settled();
    }
    if (!isOver()) this.nowMs = Math.max(this.nowMs, untilMs);
  }
}

/** Made when nothing else is left to do in a turn of the event loop: no promise is then half-way. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Due {
  readonly delayMs: number;
  /** null = once. */
  readonly everyMs: number | null;
}

class VirtualTimer implements Heaped, Timer {
  heapIndex = -1;
  order = 0;
  atMs: number;
  readonly #everyMs: number | null;
  readonly #run: () => void;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, run: () => void, { delayMs, everyMs }: Due) {
    this.atMs = clock.now() + Math.max(0, delayMs);
    this.#everyMs = everyMs;
    this.#run = run;
    this.#clock = clock;
    this.#set();
  }

  fire(): void {
    this.cancel();
    if (this.#everyMs !== null) {
      this.atMs += this.#everyMs;
      this.#set();
    }
    this.#run();
  }

  cancel(): void {
    if (this.heapIndex === -1) return;
    this.#clock.timeline.remove(this);
    this.#clock.pendingTimers -= 1;
  }

  #set(): void {
    this.#clock.timeline.add(this);
    this.#clock.pendingTimers += 1;
  }
}

/** A clock that moves when its timeline is run. */
export class VirtualClock implements Clock {
  readonly timeline: Timeline;
  /** How many timers are set. */
  pendingTimers = 0;
  /** Wall clocks are set by people and daemons; what is measured must not notice. */
  wallStartMs = Date.UTC(2026, 0, 1);

  constructor(timeline: Timeline) {
    this.timeline = timeline;
  }

  now(): number {
    return this.timeline.nowMs;
  }

  wallMs(): number {
    return Math.round(this.wallStartMs + this.timeline.nowMs);
  }

  after(delayMs: number, run: () => void): Timer {
    return new VirtualTimer(this, run, { delayMs, everyMs: null });
  }

  every(periodMs: number, run: () => void): Timer {
    return new VirtualTimer(this, run, { delayMs: periodMs, everyMs: periodMs });
  }
}

function firesBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
