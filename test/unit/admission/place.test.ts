import { describe, expect, test } from "vitest";
import { FairShare } from "../../../src/admission/fair-share.ts";
import { Place } from "../../../src/admission/place.ts";
import { WaitingClass } from "../../../src/admission/waiting-class.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** Accepted at 1000, of band 3, with 60 s to wait: a step is 10 s, or what ageing says if that is less. */
function createPlace(ageingMs: number) {
  const clock = new FakeClock();
  clock.advance(1000);
  const place = new Place({
    request: {
      ...{ user: "a", classKey: "class", model: "m", band: 3, bytes: 1, isRetry: false },
      ...{ acceptedAtMs: 1000, deadlineAtMs: 61_000, atUserLimit: false },
      place: () => "no_slot",
      onEnd: () => undefined,
    },
    within: new WaitingClass("class", "m"),
    account: new FairShare().of("a", "m"),
    sequence: 1,
    ageingMs,
    queue: { nowMs: () => clock.now(), end: () => undefined, alike: () => [] },
  });
  return { clock, place };
}

describe("a place in the queue", () => {
  test("changes when it rises, up to the highest band, and at its deadline", () => {
    const { clock, place } = createPlace(30_000);
    const changes: [number, number][] = [];
    while (clock.now() < 61_000) {
      changes.push([place.level, place.changesAtMs]);
      clock.advance(place.changesAtMs - clock.now());
      place.level = place.levelNow();
    }
    expect(changes).toEqual([
      [3, 11_000],
      [4, 21_000],
      [5, 61_000],
    ]);
    expect(place.levelNow()).toBe(5);
  });

  test("rises by the step of ageing where that is shorter", () => {
    const { clock, place } = createPlace(500);
    expect(place.changesAtMs).toBe(1500);
    clock.advance(500);
    expect(place.levelNow()).toBe(4);
  });
});
