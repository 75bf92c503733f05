import { FairShare } from "../../../src/admission/fair-share.ts";
import { Leases } from "../../../src/admission/leases.ts";
import { Queue } from "../../../src/admission/queue.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import { Turns, type NoTurn, type Turn } from "../../../src/dispatch/turns.ts";
import type { TokenUsage } from "../../../src/dispatch/usage.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { Random } from "../../../src/routing/random.ts";
import { cooldownsFor } from "../../support/cooldown-builders.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { fleetOf, strategyNamed, viewOf } from "../../support/routing-builders.ts";

/** The turns of a fleet. alice may occupy one placement, others ten. */
export function createTurns(workers: readonly Worker[]) {
  const clock = new FakeClock();
  const leases = new Leases(clock);
  const fairShare = new FairShare();
  const cooldowns = cooldownsFor(clock, { errorThreshold: 1, cooldownMs: 1000 });
  let snapshot = fleetOf(workers);
  const limits: Record<string, number> = { alice: 1 };
  const queue = new Queue({
    ...{ clock, wheel: new Deadlines(clock), fairShare },
    limits: () => ({ maxRequests: 100, maxBytes: 1000, userShare: 1, ageingMs: 30_000 }),
    placementsOf: (user) => leases.placementsOf(user),
  });
  const strategy = strategyNamed("least_requests");
  const turns = new Turns({
    ...{ clock, leases, cooldowns, fairShare, queue, random: new Random(1) },
    strategy: () => strategy,
    view: () => ({ ...viewOf(snapshot), leases, cooldowns, nowMs: clock.now() }),
    gpuLimitOf: (user) => limits[user] ?? 10,
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
  const end = async (id: string, usage: TokenUsage | null = null): Promise<void> => {
    const turn = got[id];
    if (turn?.kind !== "turn") throw new Error(`${id} has no slot`);
    turn.release(usage);
    turns.slotFreed(turn.worker);
    await settle();
  };
  /** A poll that finds these workers. */
  const poll = (now: readonly Worker[]): void => {
    snapshot = fleetOf(now, { version: snapshot.version + 1 });
  };
  const kindOf = (id: string): string | undefined => got[id]?.kind;
  return { clock, queue, turns, limits, got, ask, end, poll, kindOf };
}
