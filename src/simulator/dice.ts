import { Random } from "../routing/random.ts";

/** Draws for one concern of one history: what one concern draws shifts nothing of another's. */
export class Dice {
  readonly random: Random;

  constructor(seed: number, concern: string) {
    this.random = new Random(mixed(seed, concern));
  }

  chance(share: number): boolean {
    return this.random.next() < share;
  }

  /** A whole number, both ends included. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.random.next() * (to - from + 1));
  }

  between(from: number, to: number): number {
    return from + this.random.next() * (to - from);
  }

  /** With this mean, and nearly always below the fivefold of it. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.random.next());
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.whole(0, choices.length - 1)]!;
  }

  /** By weight: [what, how often], of which at least one is above 0. */
  weighted<T>(choices: readonly (readonly [T, number])[]): T {
    const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.random.next() * total;
    for (const [choice, weight] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return choices.at(-1)![0];
  }
}

/** FNV-1a over the concern's name, mixed with the seed: neighbouring seeds have nothing in common. */
function mixed(seed: number, concern: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const letter of concern) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return hash ^ (hash >>> 15);
}
