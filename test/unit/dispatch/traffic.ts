import { FairShare } from "../../../src/admission/fair-share.ts";
import { Leases } from "../../../src/admission/leases.ts";
import { Queue } from "../../../src/admission/queue.ts";
import type { Clock } from "../../../src/clock.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import { Turns, type NoTurn, type Turn } from "../../../src/dispatch/turns.ts";
import type { RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import { Random } from "../../../src/routing/random.ts";
import { cooldownsFor } from "../../support/cooldown-builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { fleetOf, serving, strategyNamed, viewOf } from "../../support/routing-builders.ts";

/** What one user sends. */
export interface Stream {
  readonly user: string;
  readonly band?: RoutedRequest["band"];
  /** Mean time between two requests, which come at random. */
  readonly everyMs: number;
  readonly requests: number;
  readonly timeoutMs?: number;
}

export interface Fleet {
  readonly workers: number;
  readonly slots: number;
  /** Mean time on a worker: each request brings its own. */
  readonly serviceMs: number;
  /** Times on a worker vary by a tenth at most; otherwise they are exponential. */
  readonly isSteady?: boolean;
  readonly gpuLimit?: number;
  readonly maxRequests?: number;
  readonly seed: number;
}

/** What became of one request. */
export interface Trace {
  readonly user: string;
  readonly acceptedAtMs: number;
  readonly serviceMs: number;
  /** null: it got no slot. */
  waitedMs: number | null;
  /** When it began to wait: where it stood, and what it was told; null = it did not wait, or not known. */
  position: number | null;
  startsInMs: number | null;
}

const TOKENS_PER_MS = 0.1;

/** The real queue, leases and turns before workers of virtual time. All is drawn from the seed. */
export function createTraffic(fleet: Fleet, makeLeases = (clock: Clock) => new Leases(clock)) {
  const { workers, slots, gpuLimit = 1000, maxRequests = 10_000 } = fleet;
  const clock = new FakeClock();
  const leases = makeLeases(clock);
  const fairShare = new FairShare();
  const snapshot = fleetOf(Array.from({ length: workers }, (_, i) => serving(i, { slots })));
  const cooldowns = cooldownsFor(clock, { errorThreshold: 1, cooldownMs: 1000 });
  const queue = new Queue({
    ...{ clock, wheel: new Deadlines(clock), fairShare },
    limits: () => ({ maxRequests, maxBytes: 2 ** 30, userShare: 0.2, ageingMs: 30_000 }),
    placementsOf: (user) => leases.placementsOf(user),
  });
  const strategy = strategyNamed("least_requests");
  const turns = new Turns({
    ...{ clock, leases, cooldowns, fairShare, queue },
    random: new Random(fleet.seed),
    strategy: () => strategy,
    view: () => ({ ...viewOf(snapshot), leases, cooldowns, nowMs: clock.now() }),
    gpuLimitOf: () => gpuLimit,
    observer: { onDecision: () => undefined, onQueued: () => undefined },
  });
  return { clock, leases, queue, turns, fleet };
}

export type Traffic = ReturnType<typeof createTraffic>;

/** Sends what the streams say, and lets all of it end. */
export async function run(traffic: Traffic, streams: readonly Stream[]): Promise<Trace[]> {
  const traces: Trace[] = [];
  streams.forEach((stream, at) => {
    // Each its own: what one user sends does not change with what others do.
    const random = new Random(traffic.fleet.seed * 1000 + at);
    let left = stream.requests;
    const sendNext = (): void => {
      if (left === 0) return;
      left -= 1;
      traffic.clock.after(exponential(random, stream.everyMs), () => {
        const serviceMs = drawServiceMs(random, traffic.fleet);
        traces.push(send(traffic, stream, serviceMs));
        sendNext();
      });
    };
    sendNext();
  });
  while (traffic.clock.pendingTimers > 0) await traffic.clock.advanceAsync(60_000);
  return traces;
}

function send(traffic: Traffic, stream: Stream, serviceMs: number): Trace {
  const { clock, turns } = traffic;
  const { user, band = 3, timeoutMs = 30_000 } = stream;
  const acceptedAtMs = clock.now();
  const deadlineAtMs = acceptedAtMs + timeoutMs;
  const request = routedRequest({ user, band, acceptedAtMs, deadlineAtMs });
  const trace = { user, acceptedAtMs, serviceMs, waitedMs: null, position: null, startsInMs: null };
  const taken = turns.take(request, []);
  if (!(taken instanceof Promise)) begin(traffic, trace, taken);
  else {
    const waiter = turns.placeOf(request);
    const told = { position: waiter?.position(), startsInMs: waiter?.startsInMs() };
    Object.assign(trace, told);
    void taken.then((turn) => begin(traffic, trace, turn));
  }
  return trace;
}

function begin({ clock, turns }: Traffic, trace: Trace, turn: Turn | NoTurn): void {
  if (turn.kind !== "turn") return;
  trace.waitedMs = clock.now() - trace.acceptedAtMs;
  clock.after(trace.serviceMs, () => {
    turn.release({ promptTokens: 0, completionTokens: trace.serviceMs * TOKENS_PER_MS });
    turns.slotFreed(turn.worker);
  });
}

function drawServiceMs(random: Random, { serviceMs, isSteady }: Fleet): number {
  return isSteady ? serviceMs * (0.9 + 0.2 * random.next()) : exponential(random, serviceMs);
}

function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random.next());
}

/** The wait that so many (0..1) did not exceed. */
export function waitMs(traces: readonly Trace[], share: number): number {
  const waits = traces.map((trace) => trace.waitedMs ?? Infinity).toSorted((a, b) => a - b);
  return waits[Math.ceil(share * waits.length) - 1] ?? 0;
}
