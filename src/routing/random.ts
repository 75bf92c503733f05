/**
 * Small seeded generator: a decision can be repeated from the state it began with, and a simulation
 * from its seed. Mulberry32 by Tommy Ettinger, in the public domain. Not for secrets.
 */
export class Random {
  /** 32 bits; copy it to repeat what follows. */
  state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** Uniform in 0..2^32-1. */
  nextUint32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.nextUint32() / 4_294_967_296;
  }
}

/**
 * A number that shuffles: sorting workers by it gives a random order that depends on the draw and not
 * on the order in which they came.
 */
export function shuffleRank(workerIndex: number, draw: number): number {
  let h = (workerIndex ^ draw) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x45d9f3b);
  h = Math.imul(h ^ (h >>> 16), 0x45d9f3b);
  return (h ^ (h >>> 16)) >>> 0;
}
