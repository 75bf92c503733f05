import type { Clock } from "../../src/clock.ts";
import { Cooldowns, type CooldownOptions } from "../../src/failures/cooldowns.ts";
import type { CooldownSettings } from "../../src/failures/cooldowns.ts";

export interface CooldownChoices extends Partial<CooldownSettings> {
  readonly peersOf?: CooldownOptions["peersOf"];
  readonly onChange?: CooldownOptions["onChange"];
}

/** Cooldowns of a large fleet, in which the share of failures spares nobody. */
export function cooldownsFor(clock: Clock, choices: CooldownChoices = {}): Cooldowns {
  const { peersOf = () => LARGE_FLEET, onChange = () => undefined, ...given } = choices;
  const settings = { errorThreshold: 0.1, cooldownMs: 300_000, earlyRecovery: false, ...given };
  return new Cooldowns({ clock, settings: () => settings, peersOf, onChange });
}

const LARGE_FLEET = Array.from({ length: 100 }, (_, index) => index);
