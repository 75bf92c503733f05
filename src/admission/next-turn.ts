import { cameBefore, type Waiting, type WaitingClass } from "./waiting-class.ts";

export interface NextTurn {
  readonly waiting: Waiting;
  readonly within: WaitingClass;
  /** Given by fairness alone, because somebody of a lower band has waited long enough. */
  readonly isFair: boolean;
}

/**
 * Whose turn it is among all these classes; null = nobody may be served. The highest band goes first,
 * and in it the user who was served least. Once somebody has risen to that band, every other turn goes
 * to the user who was served least of all bands from theirs on.
 *
 * Not to those who have risen: a user with a long backlog always has some, and would with them go
 * before all who wait their turn.
 */
export function nextTurn(classes: readonly WaitingClass[]): NextTurn | null {
  let highest = 0;
  for (const { highestBand } of classes) if (highestBand > highest) highest = highestBand;
  let lowest = highest;
  for (const within of classes) lowest = Math.min(lowest, within.lowestBandRisenTo(highest));
  const isFair = lowest < highest;
  let next: NextTurn | null = null;
  for (const within of classes) {
    for (let band = highest; band >= lowest; band--) {
      const waiting = within.firstIn(band);
      if (waiting && (!next || goesBefore(waiting, next.waiting)))
        next = { waiting, within, isFair };
    }
  }
  return next;
}

/** Between users who was served less, and else who came first. */
function goesBefore(a: Waiting, b: Waiting): boolean {
  if (a.account.served !== b.account.served) return a.account.served < b.account.served;
  return cameBefore(a, b);
}
