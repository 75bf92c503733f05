import { expect, test } from "vitest";
import { Leases, type Lease, type LeaseRequest } from "../../../src/admission/leases.ts";
import { Abandonment, type RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { Random } from "../../../src/routing/random.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

const SLOTS = 3;
const GPU_LIMIT = 2;
const REQUESTS = 100_000;

/** Notes each lease that is one too many, in the tick in which it is taken. */
class WatchedLeases extends Leases {
  readonly tooMany: string[] = [];

  override take(worker: Worker, request: LeaseRequest): Lease {
    const lease = super.take(worker, request);
    if (this.own(worker.index) > SLOTS) this.tooMany.push(`slots of ${worker.id}`);
    if (this.placementCount(request.user) > GPU_LIMIT) this.tooMany.push(request.user);
    return lease;
  }
}

/** In one tick a hundred requests of a few users come; some are given up in it, some later. */
function sendHundred(traffic: Traffic, random: Random): void {
  for (let i = 0; i < 100; i++) {
    const abandonment = new Abandonment();
    const dice = random.next();
    if (dice < 0.1) traffic.clock.after(dice * 1000, () => abandonment.abandon("cancelled"));
    const user = `user-${random.nextUint32() % 12}`;
    const lastsMs = dice < 0.5 ? 0 : dice * 20;
    void take(traffic, { user, abandonment }, lastsMs);
    if (dice > 0.95) abandonment.abandon("client_gone");
  }
}

async function take(
  { clock, turns }: Traffic,
  changes: Partial<RoutedRequest>,
  lastsMs: number,
): Promise<void> {
  const acceptedAtMs = clock.now();
  const times = { acceptedAtMs, deadlineAtMs: acceptedAtMs + 30_000 };
  const turn = await turns.take(routedRequest({ ...times, ...changes }), []);
  if (turn.kind !== "turn") return;
  const end = (): void => {
    turn.release(null);
    turn.release(null);
    turns.slotFreed(turn.worker);
  };
  if (lastsMs === 0) end();
  else clock.after(lastsMs, end);
}

test("100,000 racing requests never hold a slot or a placement too many, and leave none behind", async () => {
  const fleet = { workers: 6, slots: SLOTS, gpuLimit: GPU_LIMIT, serviceMs: 0, seed: 1 };
  const leases: WatchedLeases[] = [];
  const traffic = createTraffic({ ...fleet, maxRequests: 2000 }, (clock) => {
    leases.push(new WatchedLeases(clock));
    return leases[0]!;
  });
  const random = new Random(1);
  for (let sent = 0; sent < REQUESTS; sent += 100) {
    sendHundred(traffic, random);
    await traffic.clock.advanceAsync(random.next() * 60);
  }
  await traffic.clock.advanceAsync(60_000);
  expect(leases[0]?.tooMany).toEqual([]);
  expect(traffic.leases.openCount).toBe(0);
  expect(traffic.leases.sums).toEqual({ overWorkers: 0, overUsers: 0 });
  expect([traffic.queue.size, traffic.queue.bytes, traffic.clock.pendingTimers]).toEqual([0, 0, 0]);
});
