/**
 * The only place time comes from. Everything that waits or measures gets a `Clock`, so tests and the
 * simulator can run hours in milliseconds.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds on a monotonic scale: use for every duration, deadline and age. */
  now(): number;
  /** Milliseconds since the Unix epoch: use only for what people or other systems read. */
  wallMs(): number;
  after(delayMs: number, run: () => void): Timer;
  every(periodMs: number, run: () => void): Timer;
}

/** Timers of this clock do not keep the process alive: sockets do, and shutdown is explicit. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs).unref();
    return { cancel: () => clearTimeout(handle) };
  },
  every(periodMs, run) {
    const handle = setInterval(run, periodMs).unref();
    return { cancel: () => clearInterval(handle) };
  },
};

/** Keeps the process alive until it exits: while it stops, nothing else may be left that does. */
export function holdProcess(): void {
  setInterval(() => {}, 2 ** 30);
}

/** Resolves after `delayMs` on the given clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** Resolves true once `condition` holds, looked at every 20 ms; false when `timeoutMs` is over. */
export async function until(
  clock: Clock,
  condition: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  const endsAtMs = clock.now() + timeoutMs;
  while (!condition()) {
    if (clock.now() >= endsAtMs) return false;
    await sleep(clock, 20);
  }
  return true;
}
