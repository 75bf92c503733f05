import type { OutcomeClass } from "../../../src/failures/classify.ts";
import type { CooldownChange } from "../../../src/failures/cooldown-view.ts";
import { cooldownsFor, type CooldownChoices } from "../../support/cooldown-builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";

export const COOLDOWN_MS = 300_000;

/** The cooldowns of a fleet, and worker 0 to be tried. */
export function createTrial(choices: CooldownChoices = {}) {
  const clock = new FakeClock();
  const changes: CooldownChange[] = [];
  const cooldowns = cooldownsFor(clock, {
    cooldownMs: COOLDOWN_MS,
    onChange: (change) => changes.push(change),
    ...choices,
  });

  /** A request that begins now; what is returned ends it. */
  const send = (workerIndex = 0) => {
    const wasProbe = cooldowns.began(workerIndex);
    return (end: OutcomeClass): void =>
      cooldowns.ended(workerIndex, {
        class: end,
        failure: end === "success" ? "" : "it broke",
        wasProbe,
      });
  };

  const tries = (end: OutcomeClass, count: number, workerIndex = 0): void => {
    for (let tried = 0; tried < count; tried++) send(workerIndex)(end);
  };

  return { clock, changes, cooldowns, send, tries };
}
