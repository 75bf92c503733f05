import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { plainAddress } from "./plain-address.ts";

export interface AuthThrottle {
  /**
   * Counts one bad key from this address. Returns null while more may be tried, else how many
   * milliseconds the address must wait. Ask only about bad keys: good ones are never locked out.
   */
  countBadKey(address: string): number | null;
}

interface Tally {
  readonly endsAtMs: number;
  badKeys: number;
}

const BAD_KEYS_MAX = 10;
const WINDOW_MS = 60_000;
/** An attacker with more addresses than this starts each of them afresh; memory stays bounded. */
const ADDRESSES_MAX = 10_000;

export function createAuthThrottle(deps: {
  readonly clock: Clock;
  readonly log: Log;
}): AuthThrottle {
  const { clock, log } = deps;
  // In order of insertion, which is also the order in which the windows end.
  const tallies = new Map<string, Tally>();

  function tallyOf(block: string): Tally {
    const current = tallies.get(block);
    if (current && clock.now() < current.endsAtMs) return current;
    tallies.delete(block);
    if (tallies.size >= ADDRESSES_MAX) dropOldest(tallies);
    const fresh = { endsAtMs: clock.now() + WINDOW_MS, badKeys: 0 };
    tallies.set(block, fresh);
    return fresh;
  }

  return {
    countBadKey(address) {
      const block = addressBlock(address);
      const tally = tallyOf(block);
      tally.badKeys += 1;
      if (tally.badKeys <= BAD_KEYS_MAX) return null;
      if (tally.badKeys === BAD_KEYS_MAX + 1) log.warn({ address: block }, "too many bad keys");
      return tally.endsAtMs - clock.now();
    },
  };
}

function dropOldest(tallies: Map<string, Tally>): void {
  const oldest = tallies.keys().next();
  if (!oldest.done) tallies.delete(oldest.value);
}

/** IPv4 by address; IPv6 by its /64, because one host owns all of that. */
function addressBlock(text: string): string {
  const address = plainAddress(text) ?? text;
  if (isIP(address) !== 6) return address;
  return `${firstFourGroups(address).join(":")}::/64`;
}

function firstFourGroups(address: string): readonly string[] {
  const [head = "", tail = ""] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0");
  return [...before, ...zeros, ...after].slice(0, 4);
}
