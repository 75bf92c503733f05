import fc from "fast-check";
import { expect, test } from "vitest";
import { TICK_MS, World, type Sent } from "./queue-world.ts";

const anySent: fc.Arbitrary<Sent> = fc.record({
  user: fc.constantFrom("a", "b", "c"),
  classKey: fc.constantFrom("chat m", "text m", "chat n"),
  band: fc.integer({ min: 1, max: 5 }),
  bytes: fc.constantFrom(0, 1, 20, 60),
  stepTicks: fc.integer({ min: 1, max: 8 }),
  isRetry: fc.boolean(),
});

const send = anySent.map((sent) => (world: World) => world.send(sent));

const finish = fc
  .record({ which: fc.nat(), tokens: fc.option(fc.nat(1000)) })
  .map(({ which, tokens }) => (world: World) => {
    const held = world.held[which % world.held.length];
    if (held) world.finish(held, tokens);
  });

const leave = fc.nat().map((which) => (world: World) => {
  // Also those that are over: leaving twice does nothing.
  world.entries[which % world.entries.length]?.waiter.leave();
});

const passTime = fc
  .integer({ min: 1, max: 10 })
  .map((ticks) => (world: World) => world.clock.advance(ticks * TICK_MS));

const pump = fc.boolean().map((alsoParked) => (world: World) => world.queue.pump({ alsoParked }));

const setLimit = fc
  .record({ user: fc.constantFrom("a", "b", "c"), placements: fc.integer({ min: 1, max: 3 }) })
  .map(
    ({ user, placements }) =>
      (world: World) =>
        world.setLimit(user, placements),
  );

const anySteps = fc.array(
  fc.oneof(send, send, send, finish, finish, leave, passTime, pump, setLimit),
  {
    maxLength: 60,
    size: "max",
  },
);

test("each waits until it is placed, expires or leaves; nobody who goes first is passed over", () => {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const world = new World();
      for (const step of steps) {
        step(world);
        world.check();
      }
      world.clock.advance(6 * 8 * TICK_MS);
      world.check();
      expect(world.queue.size).toBe(0);
      world.clock.advance(TICK_MS);
      expect(world.clock.pendingTimers).toBe(0);
    }),
    { numRuns: 500 },
  );
});
