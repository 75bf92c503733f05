import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Leases, type Lease } from "../../../src/admission/leases.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { workerAt } from "../../support/fleet-builders.ts";

function createLedger() {
  const clock = new FakeClock();
  const leases = new Leases(clock);
  const take = (index: number, memoryBytes = 0, placement = index): Lease =>
    leases.take(workerAt(index, { placement }), { requestId: "r", user: "alice", memoryBytes });
  return { clock, leases, take };
}

describe("the ledger of slots", () => {
  test("counts exactly, whatever is taken and released in whatever order, also twice", () => {
    const step = fc.record({ release: fc.boolean(), worker: fc.nat(300), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { leases, take } = createLedger();
        const all: Lease[] = [];
        const open = new Set<Lease>();
        for (const { release, worker, which } of steps) {
          const lease = release ? all[which % all.length] : take(worker);
          if (lease === undefined) continue;
          if (release) {
            lease.release();
            open.delete(lease);
          } else {
            all.push(lease);
            open.add(lease);
          }
          const mine = [...open].filter((one) => one.workerIndex === worker);
          expect(leases.own(worker)).toBe(mine.length);
          expect(leases.openCount).toBe(open.size);
        }
        for (const lease of all) lease.release();
        expect(leases.openCount).toBe(0);
        for (const { worker } of steps) expect(leases.own(worker)).toBe(0);
      }),
    );
  });

  test("keeps its counts when it grows", () => {
    const { leases, take } = createLedger();
    take(0);
    take(63);
    take(64);
    take(10_000);
    expect([0, 63, 64, 65, 10_000].map((index) => leases.own(index))).toEqual([1, 1, 1, 0, 1]);
    expect(leases.own(1_000_000)).toBe(0);
  });

  test("gives a slot back once, however often its lease ends", () => {
    const { leases, take } = createLedger();
    const [one] = [take(0), take(0)];
    one.release();
    one.release();
    expect(leases.own(0)).toBe(1);
    expect(leases.openCount).toBe(1);
  });

  test("lists who holds the slots of a worker", () => {
    const { clock, leases, take } = createLedger();
    clock.advance(500);
    const [mine, , gone] = [take(0), take(1), take(0)];
    gone.release();
    expect(leases.openOn(0)).toEqual([mine]);
    expect(leases.openOn(2)).toEqual([]);
    expect(mine).toMatchObject({ requestId: "r", user: "alice", workerIndex: 0, takenAtMs: 500 });
  });
});

describe("what users occupy", () => {
  const PLACEMENTS = 4;

  test("sums up to the open leases at any moment, over workers and over users", () => {
    const step = fc.record({
      release: fc.boolean(),
      user: fc.constantFrom("alice", "bob", "carol"),
      worker: fc.nat(9),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
        const { leases } = createLedger();
        const open: Lease[] = [];
        for (const { release, user, worker, which } of steps) {
          if (release) open.splice(which % Math.max(1, open.length), 1)[0]?.release();
          else {
            const on = workerAt(worker, { placement: worker % PLACEMENTS });
            open.push(leases.take(on, { requestId: "r", user, memoryBytes: 0 }));
          }
          expect(leases.sums).toEqual({ overWorkers: open.length, overUsers: open.length });
          const mine = open.filter((lease) => lease.user === user);
          const placements = new Set(mine.map(({ placement }) => placement));
          expect(leases.placementCount(user)).toBe(placements.size);
          expect(new Set(leases.placementsOf(user))).toEqual(placements);
          expect(leases.workersOf(user)).toEqual(new Set(mine.map((one) => one.workerIndex)));
          for (let placement = 0; placement < PLACEMENTS; placement++) {
            expect(leases.holds(user, placement)).toBe(placements.has(placement));
          }
        }
      }),
    );
  });

  test("is nothing for users of whom nothing was ever heard", () => {
    const { leases } = createLedger();
    expect([leases.placementCount("alice"), leases.holds("alice", 0)]).toEqual([0, false]);
    expect([...leases.placementsOf("alice")]).toEqual([]);
  });

  test("is kept for whoever holds something when too many users have come and gone", () => {
    const { leases } = createLedger();
    const take = (user: string) =>
      leases.take(workerAt(0), { requestId: "r", user, memoryBytes: 0 });
    const mine = take("alice");
    for (let i = 0; i < 2500; i++) take(`user-${i}`).release();
    expect(leases.placementCount("alice")).toBe(1);
    mine.release();
    expect(leases.sums).toEqual({ overWorkers: 0, overUsers: 0 });
  });
});

describe("promised memory", () => {
  test("is what open leases on a placement will allocate, on whichever of its workers", () => {
    const { leases, take } = createLedger();
    take(0, 100, 7);
    take(1, 20, 7);
    take(2, 3, 8);
    take(3);
    expect(leases.promisedBytes(7, 0)).toBe(120);
    expect(leases.promisedBytes(8, 0)).toBe(3);
    expect(leases.promisedBytes(9, 0)).toBe(0);
  });

  test("ends with the lease", () => {
    const { leases, take } = createLedger();
    const lease = take(0, 100);
    lease.release();
    expect(leases.promisedBytes(0, -Infinity)).toBe(0);
  });

  test("leaves out leases that telemetry has seen", () => {
    const { clock, leases, take } = createLedger();
    take(0, 100);
    clock.advance(10);
    take(0, 20);
    expect(leases.promisedBytes(0, 0)).toBe(120);
    expect(leases.promisedBytes(0, 10)).toBe(20);
    expect(leases.promisedBytes(0, 11)).toBe(0);
  });
});
