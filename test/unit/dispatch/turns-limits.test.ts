import { describe, expect, test } from "vitest";
import { FairShare } from "../../../src/admission/fair-share.ts";
import { Leases } from "../../../src/admission/leases.ts";
import { Queue } from "../../../src/admission/queue.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import { Turns, type NoTurn, type Turn } from "../../../src/dispatch/turns.ts";
import { Cooldowns } from "../../../src/failures/cooldowns.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { Random } from "../../../src/routing/random.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { fleetOf, serving, strategyNamed, viewOf } from "../../support/routing-builders.ts";

/** alice may occupy one placement, bob ten. */
function createTurns(workers: readonly Worker[]) {
  const clock = new FakeClock();
  const leases = new Leases(clock);
  const fairShare = new FairShare();
  const cooldowns = new Cooldowns({
    ...{ clock, errorThreshold: 1, cooldownMs: 1000 },
    onChange: () => undefined,
  });
  const snapshot = fleetOf(workers);
  const limits: Record<string, number> = { alice: 1, bob: 10 };
  const queue = new Queue({
    ...{ clock, wheel: new Deadlines(clock), fairShare },
    ...{ maxRequests: 100, maxBytes: 1000, userShare: 1, ageingMs: 30_000 },
    placementsOf: (user) => leases.placementsOf(user),
  });
  const turns = new Turns({
    ...{ clock, leases, cooldowns, fairShare, queue, random: new Random(1) },
    strategy: strategyNamed("least_requests"),
    view: () => ({ ...viewOf(snapshot), leases, cooldowns, nowMs: clock.now() }),
    gpuLimitOf: (user) => limits[user] ?? 0,
    observer: { onDecision: () => undefined, onQueued: () => undefined },
  });
  /** What each request got, by its name. */
  const got: Record<string, Turn | NoTurn> = {};
  const ask = async (id: string, user: string, changes = {}): Promise<void> => {
    const deadlineAtMs = clock.now() + 30_000;
    const asked = { id, user, acceptedAtMs: clock.now(), deadlineAtMs, ...changes };
    const keep = async () => (got[id] = await turns.take(routedRequest(asked), []));
    void keep();
    await settle();
  };
  const end = async (id: string): Promise<void> => {
    const turn = got[id];
    if (turn?.kind !== "turn") throw new Error(`${id} has no slot`);
    turn.release(null);
    turns.slotFreed(turn.worker);
    await settle();
  };
  const kindOf = (id: string): string | undefined => got[id]?.kind;
  return { clock, queue, turns, limits, got, ask, end, kindOf };
}

describe("a user at their gpu_limit who waits", () => {
  test("in one class has a free slot for another on the GPUs that they hold", async () => {
    const [chat, text] = [{ path: "/v1/chat/completions" }, { path: "/v1/completions" }] as const;
    const paths = [chat, text, chat].map(({ path }) => new Set([path]));
    const { turns, ask, end, kindOf } = createTurns([
      serving(0, { slots: 1, paths: paths[0]!, placement: 7 }),
      serving(1, { slots: 1, paths: paths[1]!, placement: 7 }),
      serving(2, { slots: 1, paths: paths[2]!, placement: 8 }),
    ]);
    await ask("a1", "alice", text);
    await ask("a2", "alice", chat);
    await ask("a3", "alice", chat);
    await ask("a4", "alice", text);
    turns.lookAgain();
    await end("a1");
    expect(["a2", "a3", "a4"].map(kindOf)).toEqual(["turn", undefined, "turn"]);
  });

  test("and gives up is not passed over later, when they hold nothing any more", async () => {
    const { clock, queue, ask, end, kindOf } = createTurns(
      [0, 1].map((i) => serving(i, { slots: 1 })),
    );
    await ask("a1", "alice");
    await ask("a2", "alice");
    clock.advance(30_100);
    await settle();
    expect([kindOf("a2"), queue.size]).toEqual(["refused", 0]);
    await end("a1");
    for (const id of ["b1", "b2"]) await ask(id, "bob");
    await ask("a3", "alice");
    await end("b1");
    expect(kindOf("a3")).toBe("turn");
  });

  test("is refused for good once their limit is 0, and not passed over when it is raised again", async () => {
    const { queue, limits, got, ask, end, kindOf } = createTurns(
      [0, 1].map((i) => serving(i, { slots: 1 })),
    );
    await ask("a1", "alice");
    await ask("a2", "alice");
    limits["alice"] = 0;
    await end("a1");
    expect(got["a2"]).toMatchObject({ kind: "refused", error: { code: "NO_GPU_FITS" } });
    limits["alice"] = 1;
    for (const id of ["b1", "b2"]) await ask(id, "bob");
    await ask("a3", "alice");
    await end("b2");
    expect([kindOf("a3"), queue.size]).toEqual(["turn", 0]);
  });

  test("goes on when their limit is raised", async () => {
    const { queue, limits, ask, kindOf } = createTurns([0, 1].map((i) => serving(i, { slots: 1 })));
    await ask("a1", "alice");
    await ask("a2", "alice");
    limits["alice"] = 2;
    queue.pump({ alsoParked: false });
    await settle();
    expect(kindOf("a2")).toBeUndefined();
    queue.pump({ alsoParked: true });
    await settle();
    expect(kindOf("a2")).toBe("turn");
  });
});

test("what a newcomer takes counts at once in the order of those who wait", async () => {
  const { ask, end, kindOf } = createTurns([
    serving(0, { slots: 1 }),
    serving(1, { slots: 1, types: ["training"] }),
  ]);
  await ask("b1", "bob");
  await ask("b2", "bob");
  await ask("a1", "alice");
  await ask("b3", "bob", { type: "training" });
  await end("b1");
  expect(["b3", "b2", "a1"].map(kindOf)).toEqual(["turn", undefined, "turn"]);
});
