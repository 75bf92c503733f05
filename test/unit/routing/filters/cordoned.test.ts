import { expect, test } from "vitest";
import { cordoned } from "../../../../src/routing/filters/cordoned.ts";
import { forNow, verdict } from "./verdict.ts";

const cordon = {
  id: "worker-0",
  reason: "driver upgrade",
  sinceWallMs: 0,
  by: "alice",
  workerIds: [],
};
const SINCE = "since 1970-01-01T00:00:00.000Z";

test("cordoned lets pass who is in service", () => {
  expect(verdict(cordoned)).toBeNull();
});

test("cordoned rejects for now, with the operator's reason and without the operator", () => {
  expect(verdict(cordoned, { worker: { cordon } })).toEqual(
    forNow(`cordoned ${SINCE}: driver upgrade`),
  );
  expect(verdict(cordoned, { worker: { cordon: { ...cordon, reason: null } } })).toEqual(
    forNow(`cordoned ${SINCE}`),
  );
});

test("cordoned names the GPU where that is what was cordoned", () => {
  expect(verdict(cordoned, { worker: { cordon: { ...cordon, id: "GPU-1" } } })).toEqual(
    forNow(`GPU GPU-1 is cordoned ${SINCE}: driver upgrade`),
  );
});
