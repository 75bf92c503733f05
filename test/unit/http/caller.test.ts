import { expect, test } from "vitest";
import { bandFor } from "../../../src/http/caller.ts";

function limitedTo(priorityLimit: number) {
  const others = { gpuLimit: 1, requestLimit: 1, tokenLimit: null, expiresAtWallMs: null };
  return { ...others, priorityLimit };
}

test.each([
  [undefined, 5, 3],
  [undefined, 3, 3],
  [undefined, 1, 1],
  [2, 3, 2],
  [3, 3, 3],
  [5, 5, 5],
])("asked for %j with a limit of %i, the band is %i", (asked, limit, band) => {
  expect(bandFor(asked, limitedTo(limit), "priority")).toBe(band);
});

test("more than the limit is refused, never lowered unasked", () => {
  expect(() => bandFor(4, limitedTo(3), "priority")).toThrow(
    "priority 4 is above this user's priority_limit of 3: ask for 3 or less, " +
      "or have users[].priority_limit raised",
  );
});
