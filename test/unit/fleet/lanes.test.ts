import { describe, expect, test } from "vitest";
import { createLanes } from "../../../src/fleet/lanes.ts";
import { settle } from "../../support/fake-clock.ts";

describe("lanes", () => {
  test("run as many tasks at a time as there are lanes, the others in order", async () => {
    const lanes = createLanes(2);
    const started: number[] = [];
    const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
    const all = gates.map((gate, index) =>
      lanes(() => {
        started.push(index);
        return gate.promise;
      }),
    );
    await settle();
    expect(started).toEqual([0, 1]);
    gates[1]?.resolve();
    await settle();
    expect(started).toEqual([0, 1, 2]);
    for (const gate of gates) gate.resolve();
    await Promise.all(all);
    expect(started).toEqual([0, 1, 2, 3]);
  });

  test("hand on what a task gives or throws, and are free again after both", async () => {
    const lanes = createLanes(1);
    expect(await lanes(() => Promise.resolve(7))).toBe(7);
    await expect(lanes(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await lanes(() => Promise.resolve(8))).toBe(8);
  });
});
