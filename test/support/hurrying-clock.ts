import type { Clock } from "../../src/clock.ts";

/** A clock that hurries by itself, for demo workers and a client that cannot be stepped. */
export const hurrying: Clock = {
  now: () => 0,
  wallMs: () => 0,
  after(_delayMs, run) {
    const handle = setImmediate(run);
    return { cancel: () => clearImmediate(handle) };
  },
  every: () => ({ cancel: () => {} }),
};
